"""The structural characters of a JSON text, found with NumPy and without an object per value.

Here: `scan`, and skipping blanks. Add here: another query on the bytes of a part.
Keep out: uses of the results (json_bytes.py, json_layout.py, json_numbers.py).

Large arrays are indexed with `take`, which is twice as fast as an index in brackets.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

WHITESPACE = b" \t\r\n"
QUOTE = ord('"')

Codes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.intp]
Marks = npt.NDArray[np.bool_]


def marks(characters: bytes) -> Marks:
    """A table that is true at these characters."""
    table = np.zeros(256, dtype=np.bool_)
    table[list(characters)] = True
    return table


BLANK = marks(WHITESPACE)
STEP = np.zeros(256, dtype=np.int8)
"""Character -> by how much the depth increases after it."""
STEP[list(b"{[")], STEP[list(b"}]")] = 1, -1
_TOKEN = marks(b'"{}[]:,').tobytes()


@dataclass(frozen=True)
class Tokens:
    """The structural characters of a part that are outside strings.

    at: their positions.
    kind: the characters.
    depth: the nesting depth after each.
    codes: the part, without escapes.
    """

    at: Places
    kind: Codes
    depth: npt.NDArray[np.int32]
    codes: Codes

    @property
    def records(self) -> int:
        """Number of objects that begin at the outermost depth."""
        return int(np.count_nonzero((self.kind == ord("{")) & (self.depth == 1)))

    def until(self, end: int) -> Tokens:
        """The tokens before the position `end`."""
        number = int(np.searchsorted(self.at, end))
        return Tokens(self.at[:number], self.kind[:number], self.depth[:number], self.codes[:end])


def scan(part: bytes) -> Tokens:
    """The tokens of a text that begins outside a string."""
    # An escaped quote does not end a string. Replace pairs of backslashes first: in `\\"` the quote is not escaped.
    plain = part.replace(b"\\\\", b"__").replace(b'\\"', b"__") if b"\\" in part else part
    codes = np.frombuffer(plain, dtype=np.uint8)
    # bytes.translate looks a table up four times as fast as an index does
    at = np.flatnonzero(np.frombuffer(plain.translate(_TOKEN), dtype=np.bool_))
    kind = codes.take(at)
    quotes = kind == QUOTE
    outside = np.flatnonzero(~(np.logical_xor.accumulate(quotes) | quotes))
    kind = kind.take(outside)
    return Tokens(at.take(outside), kind, np.cumsum(STEP.take(kind), dtype=np.int32), codes)


def past_blanks(codes: Codes, places: Places) -> Places:
    """For each position, the position of the next character that is not blank, which must exist."""
    while (blank := BLANK.take(codes.take(places))).any():
        places = places + blank
    return places


def before_blanks(codes: Codes, places: Places) -> Places:
    """For each position, the position after the previous character that is not blank, which must exist."""
    while (blank := BLANK.take(codes.take(places - 1))).any():
        places = places - blank
    return places
