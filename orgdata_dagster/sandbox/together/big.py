"""A report of any size for benchmarks, created while it is served, so that memory use stays low.

Here: blocks of rows that differ only in their number, so that the length is known before the first byte.
Add here when: a benchmark needs data of another shape.
Keep out: rows that change (`report`) and awkward rows (`demo_data`).
"""

import json
from collections.abc import Iterator
from functools import lru_cache

from orgdata_dagster.sandbox import csv_text
from orgdata_dagster.sandbox.limits import UNLIMITED, Limits
from orgdata_dagster.sandbox.together.api import Together
from orgdata_dagster.sandbox.together.report import BOM, LINE_END, Export
from orgdata_dagster.sandbox.vendor import Row

BLOCK = 10_000  # rows; about a megabyte
COLUMNS = ("User ID", "Name", "Email", "Match Score (%)", "Joined", "Bio")

_BIOS = ("plain words of a user who says little", 'likes "quotes", and commas', "two\nlines", "", None, "naïve café")


class BigReport:
    """A report of the smallest number of blocks with at least `size` bytes in total."""

    def __init__(self, size: int) -> None:
        self._blocks = max(1, -(-size // len(_block(0))))

    def __len__(self) -> int:
        return self._blocks * BLOCK

    def export(self, escape_unicode: bool = False) -> Export:  # noqa: ARG002
        """The report, one block per piece, always in UTF-8."""
        length = len(_header()) + self._blocks * len(_block(0)) - len(_LINE_END)
        return Export(self._pieces(), length, len(self))

    def truth(self) -> list[Row]:
        """Every row as text, all in memory."""
        rows = _rows()
        return [{COLUMNS[0]: _number(n), **rows[n % BLOCK]} for n in range(len(self))]

    def _pieces(self) -> Iterator[bytes]:
        yield _header()
        for number in range(self._blocks - 1):
            yield _block(number)
        yield _block(self._blocks - 1).removesuffix(_LINE_END)


def big(size: int = 200_000_000, *, limits: Limits = UNLIMITED) -> Together:
    """The vendor with one report, `users`, whose JSON has `size` bytes or up to one block more."""
    return Together(limits=limits, read_only={"users": BigReport(size)})


def _escaped(text: str) -> bytes:
    return json.dumps(text, ensure_ascii=False)[1:-1].encode()


_LINE_END = _escaped(LINE_END)


def _header() -> bytes:
    return _escaped(BOM + csv_text.line(COLUMNS, LINE_END).decode())


def _number(number: int) -> str:
    return f"{number:09d}"  # the same width for all, so that all blocks have the same length


def _block(number: int) -> bytes:
    first = number * BLOCK
    return b"".join([b"%09d,%b" % (n, rest) for n, rest in enumerate(_rests(), first)])


@lru_cache
def _rows() -> list[Row]:
    """The rows of a block, without their numbers."""
    return [
        dict(
            zip(
                COLUMNS[1:],
                (
                    f"Given{n % 977} Family{n}",
                    f"user{n}@example.org",
                    f"{n % 1001 / 10}",
                    f"20{n % 26:02d}-{n % 12 + 1:02d}-{n % 28 + 1:02d}",
                    _BIOS[n % len(_BIOS)],
                ),
                strict=True,
            )
        )
        for n in range(BLOCK)
    ]


@lru_cache
def _rests() -> list[bytes]:
    """The rows of a block as lines, without their numbers; escaped once for all blocks."""
    return [_escaped(csv_text.line(row.values(), LINE_END).decode()) for row in _rows()]
