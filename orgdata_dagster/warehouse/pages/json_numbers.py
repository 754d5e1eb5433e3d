"""The numbers that a parser would spoil, put into quotes.

Here: `spare`. Add here: another way to lose a digit. Keep out: shapes around records (json_bytes.py), SQL.

DuckDB's parser takes `1.10`, `1e5`, `-0` and long decimals for floats and prints them anew (`1.1`, `100000.0`, `0`).
So a value of a record that holds such a number becomes a string of its own text, with a mark at its begin that tells it
from what was a string before. Whole numbers it keeps, however long; of decimals those that are their own shortest form.
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

MARK = "\ufdd0"  # a noncharacter: Unicode keeps it for such uses, no text has it

_BACKSLASH, _SPACE, _ZERO, _POINT, _MINUS = b"\\ 0.-"
_BEFORE_A_VALUE = marks(b":,[")
_BEGINS_A_NUMBER = marks(b"-0123456789")
_DOUBTFUL = re.compile(rb"[:,\[]\s*(?:-0|-?\d+(?:\.\d|[eE]))[\d.eE+-]*\s*[,\]}]")
_EXACT_DIGITS = 15  # every decimal of so many digits is the shortest form of the float next to it


def may_be_spoiled(text: bytes) -> bool:
    """Whether a text may hold a number that a parser would print anew; quick, and sometimes wrong about a string."""
    return _DOUBTFUL.search(text) is not None


def spare(part: bytes, tokens: Tokens) -> tuple[bytes, Places]:
    """The part with those values in quotes that a parser would print anew, and the places behind their colons."""
    spoiled = _spoiled(tokens)
    at, kind, depth, codes = tokens.at, tokens.kind, tokens.depth, tokens.codes
    if not spoiled.size:
        return part, spoiled
    begins = at[(kind == ord(":")) & (depth == 1)] + 1
    ends = at[((kind == ord(",")) & (depth == 1)) | ((kind == ord("}")) & (depth == 0))]
    if not begins.size or not ends.size:
        return part, spoiled[:0]  # no records: their reader will say so
    values = np.unique(begins[np.searchsorted(begins, spoiled, side="right") - 1])
    first = past_blanks(codes, values)
    last = before_blanks(codes, ends[np.searchsorted(ends, values)])
    raw = np.frombuffer(part, dtype=np.uint8).copy()
    if not _well_formed(part, first, last):
        return part, spoiled[:0]  # in quotes it would pass for a text: the parser shall see it
    escaped = _nested(raw, first, last)
    begin = np.frombuffer(b'"' + MARK.encode(), dtype=np.uint8)
    where = np.concatenate([np.repeat(first, begin.size), last, escaped])
    what = np.full(where.size, QUOTE, dtype=np.uint8)
    what[: first.size * begin.size] = np.tile(begin, first.size)
    what[where.size - escaped.size :] = _BACKSLASH
    return bytes(np.insert(raw, where, what)), values


def _spoiled(tokens: Tokens) -> Places:
    """The places of the numbers that would be printed anew."""
    codes = tokens.codes
    before = np.flatnonzero(_BEFORE_A_VALUE.take(tokens.kind[:-1]))  # the last token has no value behind it
    begins = past_blanks(codes, tokens.at.take(before) + 1)
    numbers = np.flatnonzero(_BEGINS_A_NUMBER.take(codes.take(begins)))
    begins, ends = begins[numbers], before_blanks(codes, tokens.at[before[numbers] + 1])
    minus = codes[begins] == _MINUS
    digits = begins + minus  # where its digits begin
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
    """Whether decimals between these places are what a parser prints: few digits, and no zero too many at either end.

    Those below 0.1 and their like are left out: the small ones are printed with a power, and few care for speed there.
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
    """The places in nested values where a backslash is needed in a string; line ends there become spaces."""
    nested = STEP[raw[first]] == 1
    first, last = first[nested], last[nested]
    if not first.size:
        return first
    special = np.flatnonzero((raw == QUOTE) | (raw == _BACKSLASH) | (raw < _SPACE))
    value = np.searchsorted(first, special, side="right") - 1
    special = special[(value >= 0) & (special < last[value])]
    control = raw[special] < _SPACE  # between values: within strings JSON does not allow them
    raw[special[control]] = _SPACE
    return special[~control]
