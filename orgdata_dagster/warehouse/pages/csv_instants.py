"""Reading the instants of a plain CSV file from its bytes, in a tenth of the time that a parser takes.

Here: `plain`, for files without quotes and CR whose instants are in ISO 8601 and UTC. Nearly all files are like this.
It also verifies that the file is UTF-8 and that every line has as many fields as the header, so that nothing else has
to scan the file.
Keep out: the format of instants (iso_instants.py); other files, which the database reads (extents.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from orgdata_dagster.warehouse.pages.csv_rewriting import BOM
from orgdata_dagster.warehouse.pages.iso_instants import Numbers, Unusual, microseconds

CHUNK = 4 << 20  # bytes that are read at a time
_LF, _COMMA = 10, 44


class Plain(NamedTuple):
    """The records of a plain file.

    instants: the instant of every record, in microseconds since 1970.
    longest: bytes of the longest record.
    """

    instants: Numbers
    longest: int


def plain(path: Path, columns: int, place: int) -> Plain | None:
    """The records of a file; None for a file that a parser has to read.

    columns: number of columns; at least 2.
    place: index of the column with the instants.
    """
    try:
        found = [_of_lines(lines, columns, place) for lines in _lines(path)]
    except Unusual:
        return None
    instants = np.concatenate([part.instants for part in found]) if found else np.zeros(0, dtype=np.int64)
    return Plain(instants, max((part.longest for part in found), default=0))


def _lines(path: Path) -> Iterator[bytes]:
    """The lines after the header, in chunks of many complete lines with their line ends."""
    with path.open("rb") as file:
        rest = file.readline(CHUNK)
        if b'"' in rest or b"\r" in rest or rest.startswith(BOM) or not rest.endswith(b"\n"):
            raise Unusual
        rest = b""
        while chunk := file.read(CHUNK):
            if b'"' in chunk or b"\r" in chunk:
                raise Unusual
            end = chunk.rfind(b"\n") + 1
            if end:
                yield rest + chunk[:end]
                rest = chunk[end:]
            else:
                rest += chunk
        if rest:
            yield rest + b"\n"


def _of_lines(lines: bytes, columns: int, place: int) -> Plain:
    if not _is_text(lines):
        raise Unusual
    codes = np.frombuffer(lines, dtype=np.uint8)
    ends = np.flatnonzero((codes == _COMMA) | (codes == _LF))
    if ends.size % columns:
        raise Unusual
    fields = ends.reshape(-1, columns)
    line_ends = fields[:, -1]
    if (codes.take(line_ends) != _LF).any() or np.count_nonzero(codes == _LF) != line_ends.size:
        raise Unusual
    before_lines = np.concatenate(([-1], line_ends[:-1]))
    before = fields[:, place - 1] if place else before_lines
    return Plain(microseconds(lines, before + 1, fields[:, place]), int((line_ends - before_lines).max()))


def _is_text(lines: bytes) -> bool:
    try:
        return lines.isascii() or bool(lines.decode())
    except UnicodeDecodeError:
        return False
