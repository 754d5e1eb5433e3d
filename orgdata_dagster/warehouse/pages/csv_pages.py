"""A CSV body on disk becomes a page that DuckDB reads without guessing.

Here: what must be known of a CSV before the database sees it: its header, its number of records (counted
independently of the parser, since a parser that stumbles over line ends may return fewer rows without a word), one
kind of line end, no byte-order mark. Add here: another quirk of CSV. Keep out: types and SQL beyond `relation`.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from orgdata_dagster.warehouse.errors import UnreadablePage
from orgdata_dagster.warehouse.names import column_names, literal
from orgdata_dagster.warehouse.pages.page import Reading

_CHUNK = 1 << 20
_BOM = b"\xef\xbb\xbf"
_QUOTE, _LF, _CR = 34, 10, 13


@dataclass(frozen=True)
class CsvPage:
    """A CSV file ready for the database. `records` leaves out the header and blank lines."""

    path: Path
    columns: tuple[str, ...]
    records: int

    @property
    def layout(self) -> tuple[str, ...]:
        """Pages with the same header can be read in one go."""
        return self.columns

    @staticmethod
    def reading(pages: Sequence[CsvPage]) -> Reading:
        """How to read pages with the same header together."""
        return Reading(pages[0].columns, relation([page.path for page in pages], pages[0].columns), {})


@dataclass
class _Scan:
    line_ends: int = 0
    blank_lines: int = 0
    quoted: bool = False
    foreign_line_ends: bool = False
    last: int = _LF


def prepare(path: Path) -> CsvPage:
    """Read the header, count the records and make the line ends uniform (in place). An empty file has no columns.

    Raises UnreadablePage where the file ends inside a quoted field: it was cut short.
    """
    if os.path.getsize(path) == 0:
        return CsvPage(path, (), 0)
    scan = _scan(path)
    if scan.quoted:
        raise UnreadablePage(f"{path.name} ends inside a quoted field: the body was cut short")
    if scan.foreign_line_ends or _starts_with_bom(path):
        _rewrite(path)
        scan = _scan(path)
    header = _header(path)
    if not header:
        if scan.line_ends > scan.blank_lines or scan.last != _LF:
            raise UnreadablePage(f"{path.name} begins with a blank line instead of a header")
        return CsvPage(path, (), 0)
    # With one column a blank line is a record whose value is missing; with several it is nothing.
    lines = scan.line_ends - (scan.blank_lines if len(header) > 1 else 0)
    return CsvPage(path, tuple(column_names(header)), lines + (scan.last != _LF) - 1)


def relation(paths: Sequence[Path], columns: Sequence[str]) -> str:
    """SQL that yields the rows of prepared files with the same header, all columns as text, and `_orgdata_file`.

    A quoted empty field is "" and an unquoted one NULL; nothing else is taken for NULL. A record over 2 MB is an
    error of the parser: its buffers are 16 times the longest record, so a higher bound would cost every load memory.
    """
    files = ", ".join(literal(str(path)) for path in paths)
    types = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in columns)
    return (
        f"read_csv([{files}], columns = {{{types}}}, header = true, auto_detect = false, delim = ',', quote = '\"', "
        "escape = '\"', new_line = '\\n', allow_quoted_nulls = false, strict_mode = true, "
        "filename = '_orgdata_file')"
    )


def _header(path: Path) -> list[str]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return next(csv.reader(file), [])
    except UnicodeDecodeError as error:
        raise UnreadablePage(f"{path.name} is not UTF-8: {error.reason} at byte {error.start}") from None
    except csv.Error as error:
        raise UnreadablePage(f"{path.name} has no header: {error}") from None


def _scan(path: Path) -> _Scan:
    scan = _Scan()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            if b'"' not in chunk and not scan.quoted and b"\r" not in chunk and b"\n\n" not in chunk:
                # nothing to tell apart: the common case, ten times as fast
                scan.blank_lines += chunk.startswith(b"\n") and scan.last == _LF
                scan.line_ends += chunk.count(b"\n")
                scan.last = chunk[-1]
                continue
            codes = np.frombuffer(chunk, dtype=np.uint8)
            outside = _outside_quotes(codes, scan.quoted)
            line_end = (codes == _LF) & outside
            scan.line_ends += int(np.count_nonzero(line_end))
            # a line end right behind another one is a blank line, also across the border of two chunks
            scan.blank_lines += int(np.count_nonzero(line_end[1:] & line_end[:-1]))
            scan.blank_lines += bool(line_end[0] and scan.last == _LF)
            scan.foreign_line_ends = scan.foreign_line_ends or bool(np.any((codes == _CR) & outside))
            scan.quoted ^= bool(np.count_nonzero(codes == _QUOTE) & 1)
            scan.last = int(codes[-1]) if outside[-1] else _QUOTE
    return scan


def _outside_quotes(codes: np.ndarray, quoted: bool) -> np.ndarray:
    """For every byte whether it lies outside quotes; `quoted` says how the chunk begins (`""` toggles twice)."""
    quotes = codes == _QUOTE
    if not quotes.any():
        return np.full(codes.shape, not quoted)
    parity = np.logical_xor.accumulate(quotes)
    return parity if quoted else ~parity


def _starts_with_bom(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(3) == _BOM


def _rewrite(path: Path) -> None:
    """CR LF and CR outside quotes become LF, inside quotes every byte stays; the byte-order mark goes."""
    clean = path.with_name(path.name + ".clean")
    quoted, held_cr, first = False, False, True
    with path.open("rb") as source, clean.open("wb") as target:
        while chunk := source.read(_CHUNK):
            if first:
                chunk, first = chunk.removeprefix(_BOM), False
            parts = chunk.split(b'"')
            for index, part in enumerate(parts):
                if quoted == bool(index & 1):  # outside quotes
                    if held_cr and not (index == 0 and part.startswith(b"\n")):
                        target.write(b"\n")
                    held_cr = index == len(parts) - 1 and part.endswith(b"\r")
                    part = part[:-1] if held_cr else part
                    part = part.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
                target.write(part if index == 0 else b'"' + part)
            quoted ^= not len(parts) & 1
        if held_cr:
            target.write(b"\n")
    clean.replace(path)
