"""Quoting the numbers that DuckDB's JSON parser would change.

Here: `spare`. Add here: another way in which the parser loses digits. Keep out: shapes around records (json_bytes.py),
SQL.

DuckDB's parser reads `1.10`, `1e5`, `-0` and long decimals as floats and prints them differently (`1.1`, `100000.0`,
`0`). A value of a record that contains such a number therefore becomes a string with the value's own text. A mark at
its beginning distinguishes it from values that were strings before. The parser keeps whole numbers of any length, and
decimals that are in their shortest form.
"""

from __future__ import annotations

import json
import re

import numpy as np

from orgdata_dagster.warehouse.pages.json_tokens import (
    QUOTE,
    STEP,
    Codes,
    Marks,
    Places,
    Tokens,
    before_blanks,
    marks,
    past_blanks,
)

MARK = "\ufdd0"  # a noncharacter, which Unicode reserves for such internal uses

_BACKSLASH, _SPACE, _ZERO, _POINT, _MINUS = b"\\ 0.-"
_BEFORE_A_VALUE = marks(b":,[")
_BEGINS_A_NUMBER = marks(b"-0123456789")
_SUSPICIOUS = re.compile(rb"[:,\[]\s*(?:-0|-?\d+(?:\.\d|[eE]))[\d.eE+-]*\s*[,\]}]")
_EXACT_DIGITS = 15  # every decimal of so many digits is the shortest form of the float next to it


def may_be_spoiled(text: bytes) -> bool:
    """Whether a text may contain a number that the parser would change. Fast; a string may cause a false positive."""
    return _SUSPICIOUS.search(text) is not None


def spare(part: bytes, tokens: Tokens) -> tuple[bytes, Places]:
    """Put the values that the parser would change into quotes.

    Returns the new part, and the positions after the colons of these values in the old part.
    """
    spoiled = _spoiled(tokens)
    at, kind, depth, codes = tokens.at, tokens.kind, tokens.depth, tokens.codes
    if not spoiled.size:
        return part, spoiled
    begins = at[(kind == ord(":")) & (depth == 1)] + 1
    ends = at[((kind == ord(",")) & (depth == 1)) | ((kind == ord("}")) & (depth == 0))]
    if not begins.size or not ends.size:
        return part, spoiled[:0]  # no records, which the reader reports
    values = np.unique(begins[np.searchsorted(begins, spoiled, side="right") - 1])
    first = past_blanks(codes, values)
    last = before_blanks(codes, ends[np.searchsorted(ends, values)])
    raw = np.frombuffer(part, dtype=np.uint8).copy()
    if not _well_formed(part, first, last):
        return part, spoiled[:0]  # quotes would hide the malformed value from the parser
    escaped = _nested(raw, first, last)
    begin = np.frombuffer(b'"' + MARK.encode(), dtype=np.uint8)
    where = np.concatenate([np.repeat(first, begin.size), last, escaped])
    what = np.full(where.size, QUOTE, dtype=np.uint8)
    what[: first.size * begin.size] = np.tile(begin, first.size)
    what[where.size - escaped.size :] = _BACKSLASH
    return bytes(np.insert(raw, where, what)), values


def _spoiled(tokens: Tokens) -> Places:
    """The positions of the numbers that the parser would change."""
    codes = tokens.codes
    before = np.flatnonzero(_BEFORE_A_VALUE.take(tokens.kind[:-1]))  # no value follows the last token
    begins = past_blanks(codes, tokens.at.take(before) + 1)
    numbers = np.flatnonzero(_BEGINS_A_NUMBER.take(codes.take(begins)))
    begins, ends = begins[numbers], before_blanks(codes, tokens.at[before[numbers] + 1])
    minus = codes[begins] == _MINUS
    digits = begins + minus  # where the digits begin
    lengths = ends - begins
    if not lengths.size:
        return begins
    offsets = np.cumsum(lengths) - lengths
    text = codes.take(np.repeat(begins - offsets, lengths) + np.arange(lengths.sum()))
    points = np.logical_or.reduceat(text == _POINT, offsets)
    powers = np.logical_or.reduceat((text | 32) == ord("e"), offsets)
    minus_zero = minus & (codes[digits] == _ZERO)
    kept = np.where(points, _shortest(codes, digits, ends, minus), ~minus_zero) & ~powers
    return begins[~kept]


def _shortest(codes: Codes, digits: Places, ends: Places, minus: Marks) -> Marks:
    """Whether the parser prints the decimals at these positions as they are: few digits, and no superfluous zeros.

    Numbers that begin with `0.0` are treated as changed, because the parser prints small ones with an exponent.
    """
    tail, last = codes[np.maximum(ends - 2, 0)], codes[ends - 1]
    fraction = (last != _ZERO) | (tail == _POINT)  # `1.25` and `1.0`, not `1.50`
    zero = (codes[digits] == _ZERO) & (codes[np.minimum(digits + 2, codes.size - 1)] == _ZERO)  # `0.0...`
    nothing = (ends - digits == 3) & ~minus  # `0.0`
    short = ends - digits <= _EXACT_DIGITS + 1
    found: Marks = short & fraction & (~zero | nothing)
    return found


def _well_formed(part: bytes, first: Places, last: Places) -> bool:
    found = b",".join(map(part.__getitem__, map(slice, first.tolist(), last.tolist())))
    try:
        json.loads(b"[%b]" % found)
    except (ValueError, RecursionError):
        return False
    return True


def _nested(raw: Codes, first: Places, last: Places) -> Places:
    """The positions in nested values that need a backslash inside a string. Line ends there are replaced by spaces."""
    nested = STEP[raw[first]] == 1
    first, last = first[nested], last[nested]
    if not first.size:
        return first
    special = np.flatnonzero((raw == QUOTE) | (raw == _BACKSLASH) | (raw < _SPACE))
    value = np.searchsorted(first, special, side="right") - 1
    special = special[(value >= 0) & (special < last[value])]
    control = raw[special] < _SPACE  # these are between values, because JSON does not allow them in strings
    raw[special[control]] = _SPACE
    return special[~control]
