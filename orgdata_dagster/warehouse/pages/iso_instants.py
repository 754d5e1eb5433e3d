"""Reading many instants in ISO 8601 and UTC at once from the bytes of a page.

Here: `microseconds`, for `2026-01-02T03:04:05Z` with up to six digits of a fraction. Add here: another common format.
Keep out: finding the instants in a page (csv_instants.py, json_layout.py).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_ZERO = 48
_SHORTEST, _LONGEST = len("2026-01-02T03:04:05Z"), len("2026-01-02T03:04:05.123456Z")
_PUNCTUATION = ((4, b"-"), (7, b"-"), (10, b"T "), (13, b":"), (16, b":"), (19, b".Z"), (-1, b"Z"))

Codes = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.int64]
Places = npt.NDArray[np.intp]


class Unusual(Exception):
    """The text has another format than this module supports. A parser has to read it."""


def microseconds(text: bytes, begins: Places, ends: Places) -> Numbers:
    """The instants in `text`, in microseconds since 1970. Raises Unusual if one has another format.

    begins, ends: offsets of the first byte of each instant, and of the byte after it.
    """
    widths = ends - begins
    if widths.size and not _SHORTEST <= widths.min() <= widths.max() <= _LONGEST:
        raise Unusual
    result = np.empty(widths.size, dtype=np.int64)
    for width in np.flatnonzero(np.bincount(widths, minlength=1)).tolist():
        mine = widths == width
        # A view whose item i is the text that starts at byte i: far faster than an index per character.
        here: npt.NDArray[np.void] = np.ndarray(len(text) - width + 1, dtype=f"V{width}", buffer=text, strides=1)
        characters = here[begins[mine]].view(np.uint8).reshape(-1, width)
        result[mine] = _read(np.ascontiguousarray(characters.T))
    return result


def _read(text: Codes) -> Numbers:
    """Parse instants. `text`: one column per instant; row i contains the i-th character of each."""
    width = len(text)
    marks = {at % width for at, _ in _PUNCTUATION}
    if width == _SHORTEST + 1:  # a point without digits
        raise Unusual
    if not all(np.logical_or.reduce([text[at] == mark for mark in allowed]).all() for at, allowed in _PUNCTUATION):
        raise Unusual
    digits = [text[at] - _ZERO for at in range(width)]  # wraps around below zero
    if any((digits[at] > 9).any() for at in range(width) if at not in marks):
        raise Unusual

    def number(first: int, last: int) -> Numbers:
        found = np.zeros(text.shape[1], dtype=np.int64)
        for at in range(first, last):
            found = found * 10 + digits[at]
        return found

    year, month, day = number(0, 4), number(5, 7), number(8, 10)
    hour, minute, second = number(11, 13), number(14, 16), number(17, 19)
    if ((year < 1) | (month < 1) | (month > 12) | (hour > 23) | (minute > 59) | (second > 59)).any():
        raise Unusual
    months = ((year - 1970) * 12 + month - 1).astype("M8[M]")
    first_days = months.astype("M8[D]").astype(np.int64)
    lengths = (months + 1).astype("M8[D]").astype(np.int64) - first_days
    if ((day < 1) | (day > lengths)).any():
        raise Unusual
    fraction = number(20, width - 1) * 10 ** (_LONGEST - width) if width > _SHORTEST else 0
    seconds = (((first_days + day - 1) * 24 + hour) * 60 + minute) * 60 + second
    return seconds * 1_000_000 + fraction
