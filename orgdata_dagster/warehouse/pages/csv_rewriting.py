"""Rewriting a CSV body that parsers read differently into one that all of them read in the same way.

Here: `rewrite`. Add here: another variant of CSV that the database reads differently.
Keep out: facts about a CSV file (csv_pages.py).

The rules are those of Python's `csv` and of RFC 4180. A quote opens a field only as the field's first character; inside
an unquoted field it is an ordinary character. Text after a closing quote belongs to the field. Outside quotes, CR LF,
CR and LF end a record; inside quotes every byte is kept. A byte-order mark is removed.
"""

from __future__ import annotations

import mmap
import re
from pathlib import Path
from typing import BinaryIO

from orgdata_dagster.warehouse.errors import UnreadablePage

BOM = b"\xef\xbb\xbf"

_BLOCK = 1 << 20
# possessive quantifiers: no time and memory for backtracking in a field of 20 MB
_QUOTED = re.compile(rb'"((?:[^"]++|"")*+)("?)([^,\r\n]*)')
_PLAIN = re.compile(rb"[^,\r\n]*")
_END = re.compile(rb"\r\n?|\n")


def rewrite(path: Path) -> None:
    """Make a file regular, in place: LF ends a record, and quotes stand only around whole fields.

    Raises UnreadablePage if the file ends inside a quoted field: it was cut short.
    """
    clean = path.with_name(path.name + ".clean")
    with (
        path.open("rb") as source,
        mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ) as body,
        clean.open("wb") as target,
    ):
        at = len(BOM) if body[: len(BOM)] == BOM else 0
        while (quote := body.find(b'"', at)) >= 0:
            line = max(at, body.rfind(b"\n", at, quote) + 1, body.rfind(b"\r", at, quote) + 1)
            _copy(body, at, line, target)
            at = _copy_record(body, line, target, path.name)
        _copy(body, at, len(body), target)
    clean.replace(path)


def _copy(body: mmap.mmap, begin: int, end: int, target: BinaryIO) -> None:
    """Copy whole records without quotes."""
    while begin < end:
        stop = min(begin + _BLOCK, end)
        if body[stop - 1 : stop + 1] == b"\r\n":
            stop = min(stop + 1, end)
        target.write(body[begin:stop].replace(b"\r\n", b"\n").replace(b"\r", b"\n"))
        begin = stop


def _copy_record(body: mmap.mmap, at: int, target: BinaryIO, name: str) -> int:
    """Copy the record that begins at `at`, with quotes around whole fields; returns where the next record begins."""
    while True:
        field = _QUOTED.match(body, at)
        if field is None:
            plain = _PLAIN.match(body, at)
            assert plain is not None  # the pattern also matches an empty text
            text, at = plain[0], plain.end()
            target.write(b'"' + text.replace(b'"', b'""') + b'"' if b'"' in text else text)
        else:
            inside, closed, behind = field.groups()
            if not closed:
                raise UnreadablePage(f"{name} ends inside a quoted field: the body was cut short")
            at = field.end()
            target.write(b'"' + inside + behind.replace(b'"', b'""') + b'"')
        if body[at : at + 1] == b",":
            target.write(b",")
            at += 1
        elif end := _END.match(body, at):
            target.write(b"\n")
            return end.end()
        else:
            return at
