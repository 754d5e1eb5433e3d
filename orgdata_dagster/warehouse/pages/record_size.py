"""The size limit of one record, and the error for a larger one, which names the column.

Here: the limit, and the error with the column, its size and the limit. Keep out: reading records (csv_pages.py,
json_bytes.py).

The limit protects memory: a parser holds a whole record in its buffers twice, and its values once more.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from orgdata_dagster.warehouse.errors import RecordTooLarge
from orgdata_dagster.warehouse.pages.json_tokens import scan

LARGEST_RECORD = 64 << 20  # bytes as they are sent; 20 MB of text may take three times as many with escapes
_CHUNK = 1 << 20
_MEMBER = re.compile(rb'("(?:[^"\\]|\\.){0,1000}")\s*\Z')  # the name before a colon
_TEXT_END = re.compile(rb'(?<!\\)"')


def too_large(name: str, column: str | None, size: int) -> RecordTooLarge:
    """The error for a record of the page `name`. `size`: bytes of the value of `column`, or of the record (None)."""
    what = f"the value of column {column!r} has" if column is not None else "a record has"
    return RecordTooLarge(
        f"{name}: {what} {size / (1 << 20):,.0f} MB; the limit is {LARGEST_RECORD >> 20} MB for one record. Ask the "
        "vendor for smaller records, or remove this table from defs.yaml."
    )


def too_large_in_json(name: str, begun: bytes, rest: BinaryIO) -> RecordTooLarge:
    """The error for a record beyond the limit. It names the member that was being read when the limit was reached.

    begun: the record up to the limit.
    rest: the body from there on.
    """
    tokens = scan(begun)
    colons = tokens.at[(tokens.kind == ord(":")) & (tokens.depth == 1)]
    member = _MEMBER.search(begun, 0, int(colons[-1])) if colons.size else None
    if member is None:
        return too_large(name, None, len(begun))
    size = len(begun) - int(colons[-1]) - 1
    if begun[int(colons[-1]) + 1 :].lstrip()[:1] == b'"':  # a string, whose end is easy to find
        while chunk := rest.read(_CHUNK):
            end = _TEXT_END.search(chunk)
            size += end.start() if end else len(chunk)
            if end:
                break
    return too_large(name, json.loads(member[1]), size)


def too_large_in_csv(path: Path, columns: Sequence[str]) -> RecordTooLarge:
    """The error for a CSV file with a line beyond the limit: names the column of its longest field."""
    longest, column = 0, 0
    begun, field, quoted = 0, 0, False  # bytes of the field so far, its number, whether inside quotes
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            codes = np.frombuffer(chunk, dtype=np.uint8)
            inside = np.logical_xor.accumulate(codes == ord('"')) ^ quoted
            quoted = bool(inside[-1])
            ends = np.flatnonzero(~inside & ((codes == ord(",")) | (codes == ord("\n"))))
            lengths = np.diff(ends, prepend=-1) - 1
            if not ends.size:
                begun += codes.size
            else:
                lengths[0] += begun
                # the number of each field in its line: the number of commas since the last line end
                at, line_end = np.arange(ends.size), codes[ends] == ord("\n")
                line_ends = np.maximum.accumulate(np.where(line_end, at, -1 - field))
                numbers = at - np.concatenate([[-1 - field], line_ends[:-1]]) - 1
                place = int(lengths.argmax())
                if lengths[place] > longest:
                    longest, column = int(lengths[place]), int(numbers[place])
                field = int(numbers[-1]) + 1 if codes[ends[-1]] == ord(",") else 0
                begun = codes.size - int(ends[-1]) - 1
            if begun > longest:
                longest, column = begun, field
    return too_large(path.name, columns[column] if column < len(columns) else None, longest)
