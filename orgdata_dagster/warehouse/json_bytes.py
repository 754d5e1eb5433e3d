"""The bytes of a JSON body: where its records begin and end, and which of its numbers a parser would spoil.

Here: `rewrite`, without a Python object per value and with flat memory. Add here: another way to lose a digit.
Keep out: keys and SQL (json_pages.py).

DuckDB's parser takes `1.10`, `1e5`, `-0` and long decimals for floats and prints them anew (`1.1`, `100000.0`, `0`).
So a value of a record that holds such a number becomes a string of its own text, with a mark at its begin that tells it
from what was a string before. Whole numbers it keeps, however long.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import numpy as np
import numpy.typing as npt

from orgdata_dagster.warehouse.errors import UnreadablePage

ARRAY = "[]"
OBJECT = "{}"
MARK = "\ufdd0"  # a noncharacter: Unicode keeps it for such uses, no text has it

_CHUNK = 1 << 20
_BOM = b"\xef\xbb\xbf"
_WHITESPACE = b" \t\r\n"
_QUOTE, _BACKSLASH, _SPACE, _ZERO = b'"\\ 0'

T = TypeVar("T")
Codes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.intp]
Marks = npt.NDArray[np.bool_]


def _marks(characters: bytes) -> Marks:
    table = np.zeros(256, dtype=np.bool_)
    table[list(characters)] = True
    return table


_TOKEN = _marks(b'"{}[]:,.eE-')
_BLANK = _marks(_WHITESPACE)
_STEP = np.zeros(256, dtype=np.int32)
_STEP[list(b"{[")], _STEP[list(b"}]")] = 1, -1


def rewrite(path: Path, records: str) -> tuple[int, Any]:
    """Make the file a bare array of its records; returns their number, and what was around them (see prepare).

    Raises UnreadablePage where it is cut short or has no such records.
    """
    if path.stat().st_size <= _CHUNK:
        text, clean = path.read_bytes(), io.BytesIO()
        found = _copy(io.BytesIO(text), clean, path.name, records)
        if clean.getvalue() != text:
            _replace(path, lambda target: target.write(clean.getvalue()))
        return found
    with path.open("rb") as source:
        return _replace(path, lambda target: _copy(source, target, path.name, records))


def _replace(path: Path, write: Callable[[BinaryIO], T]) -> T:
    clean = path.with_name(path.name + ".clean")
    try:
        with clean.open("wb") as target:
            result = write(target)
        path.unlink()  # renaming onto a file makes some file systems wait for the disk
        clean.rename(path)
    finally:
        clean.unlink(missing_ok=True)
    return result


def _copy(source: BinaryIO, target: BinaryIO, name: str, records: str) -> tuple[int, Any]:
    """Write the records as a bare array; returns their number and their envelope."""
    body, count = _Body(source, name), 0
    prefix = body.begin(records)
    target.write(b"[")
    for part, tokens in body.parts():
        if not tokens.records and part.strip(_WHITESPACE):
            raise UnreadablePage(f"{name} holds records that are no objects: {_shown(part)}")
        count += tokens.records
        target.write(_spared(part, tokens))
    target.write(b"]")
    return count, _envelope(name, prefix, body.suffix, records)


@dataclass(frozen=True)
class _Tokens:
    """The characters outside strings that give a part its structure: their places, kinds, and the depth behind each."""

    at: Places
    kind: Codes
    depth: npt.NDArray[np.int32]
    codes: Codes

    @property
    def records(self) -> int:
        return int(np.count_nonzero((self.kind == ord("{")) & (self.depth == 1)))

    def until(self, end: int) -> _Tokens:
        """Those before the place `end`."""
        number = int(np.searchsorted(self.at, end))
        return _Tokens(self.at[:number], self.kind[:number], self.depth[:number], self.codes[:end])


def _tokens(part: bytes) -> _Tokens:
    # an escaped quote ends no string; pairs of backslashes first, so that in `\\"` the quote is not taken for escaped
    plain = part.replace(b"\\\\", b"__").replace(b'\\"', b"__") if b"\\" in part else part
    codes = np.frombuffer(plain, dtype=np.uint8)
    at = np.flatnonzero(_TOKEN[codes])
    kind = codes[at]
    quotes = kind == _QUOTE
    outside = ((np.cumsum(quotes) & 1) == 0) & ~quotes
    at, kind = at[outside], kind[outside]
    return _Tokens(at, kind, np.cumsum(_STEP[kind], dtype=np.int32), codes)


class _Body:
    """A body that is read once, from its records' begin to their end."""

    def __init__(self, source: BinaryIO, name: str) -> None:
        self.suffix = b""
        self._source = source
        self._name = name
        self._buffer = source.read(_CHUNK).removeprefix(_BOM)
        self._alone = False

    def begin(self, records: str) -> bytes:
        """Go behind the bracket that opens the records; returns what was before it."""
        start = re.match(rb"\s*", self._buffer)
        at = start.end() if start else 0
        opened = self._buffer[at : at + 1]
        wanted = b"[" if records == ARRAY else b"{"
        if opened != wanted:
            shown = _shown(self._buffer[at:]) if opened else "nothing"
            raise UnreadablePage(f"{self._name} should begin with {wanted.decode()!r}, not with {shown}")
        self._alone = records == OBJECT
        if self._alone:
            self._buffer = self._buffer[at:]
            return b""
        prefix = self._until_array(records) if records != ARRAY else self._buffer[:at]
        self._buffer = self._buffer[len(prefix) + 1 :]
        return prefix

    def parts(self) -> Iterator[tuple[bytes, _Tokens]]:
        """The records in parts of about a chunk, each with whole records only."""
        while True:
            tokens = _tokens(self._buffer)
            ended = tokens.at[tokens.depth < 0]
            ends = tokens.at[(tokens.depth == 0) & (tokens.kind == ord("}"))]
            if self._alone and ends.size:
                end = int(ends[0]) + 1
                yield self._buffer[:end], tokens.until(end)
                self.suffix = self._buffer[end:] + self._source.read()
                return
            if ended.size:
                end = int(ended[0])
                yield self._buffer[:end], tokens.until(end)
                self.suffix = self._buffer[end + 1 :] + self._source.read()
                return
            cut = int(ends[-1]) + 1 if ends.size else 0
            if cut:
                yield self._buffer[:cut], tokens.until(cut)
            self._more(cut)

    def _until_array(self, key: str) -> bytes:
        """What comes before the bracket of the envelope's array named `key`."""
        named = re.compile(re.escape(json.dumps(key).encode()) + rb"\s*:\s*\[")
        while True:
            tokens = _tokens(self._buffer)
            for match in named.finditer(self._buffer):
                place = int(np.searchsorted(tokens.at, match.end() - 1))
                inside_a_string = place == tokens.at.size or tokens.at[place] != match.end() - 1
                if not inside_a_string and tokens.depth[place] == 2:
                    return self._buffer[: match.end() - 1]
            try:
                self._more(0)
            except UnreadablePage:
                begin = _shown(self._buffer)
                raise UnreadablePage(f"{self._name} has no array {key!r}; it begins with {begin}") from None

    def _more(self, done: int) -> None:
        # at least as much again, so that a record larger than a chunk is not searched through too often
        more = self._source.read(max(_CHUNK, len(self._buffer) - done))
        if not more:
            raise UnreadablePage(f"{self._name} ends within its records: the body was cut short")
        self._buffer = self._buffer[done:] + more


def _envelope(name: str, prefix: bytes, suffix: bytes, records: str) -> Any:
    if records in (ARRAY, OBJECT):
        if suffix.strip(_WHITESPACE):
            raise UnreadablePage(f"{name} goes on after its records: {_shown(suffix)}")
        return None
    try:
        envelope = json.loads(prefix + b"null" + suffix)
    except ValueError as error:
        raise UnreadablePage(f"{name} has an envelope that is not well-formed JSON: {error}") from None
    del envelope[records]
    return envelope


def _shown(text: bytes) -> str:
    return repr(text.strip(_WHITESPACE)[:60].decode(errors="replace"))


def _spared(part: bytes, tokens: _Tokens) -> bytes:
    """The part with those values in quotes that a parser would print anew."""
    at, kind, depth, codes = tokens.at, tokens.kind, tokens.depth, tokens.codes
    spoiled = kind == ord(".")
    spoiled |= ((kind | 32) == ord("e")) & (codes[at - 1] >= _ZERO) & (codes[at - 1] <= ord("9"))
    spoiled |= (kind == ord("-")) & (codes[np.minimum(at + 1, len(codes) - 1)] == _ZERO)
    if not spoiled.any():
        return part
    begins = at[(kind == ord(":")) & (depth == 1)] + 1
    ends = at[((kind == ord(",")) & (depth == 1)) | ((kind == ord("}")) & (depth == 0))]
    if not begins.size or not ends.size:
        return part  # no records: their reader will say so
    places = at[spoiled]
    first = np.unique(begins[np.searchsorted(begins, places, side="right") - 1])
    last = ends[np.searchsorted(ends, first)]
    first, last = _trimmed(codes, first, last)
    raw = np.frombuffer(part, dtype=np.uint8).copy()
    escaped = _nested(raw, first, last)
    begin = np.frombuffer(b'"' + MARK.encode(), dtype=np.uint8)
    where = np.concatenate([np.repeat(first, begin.size), last, escaped])
    what = np.full(where.size, _QUOTE, dtype=np.uint8)
    what[: first.size * begin.size] = np.tile(begin, first.size)
    what[where.size - escaped.size :] = _BACKSLASH
    return bytes(np.insert(raw, where, what))


def _trimmed(codes: Codes, first: Places, last: Places) -> tuple[Places, Places]:
    while (blank := _BLANK[codes[first]]).any():
        first = first + blank
    while (blank := _BLANK[codes[last - 1]]).any():
        last = last - blank
    return first, last


def _nested(raw: Codes, first: Places, last: Places) -> Places:
    """The places in nested values where a backslash is needed in a string; line ends there become spaces."""
    nested = _STEP[raw[first]] == 1
    first, last = first[nested], last[nested]
    if not first.size:
        return first
    special = np.flatnonzero((raw == _QUOTE) | (raw == _BACKSLASH) | (raw < _SPACE))
    value = np.searchsorted(first, special, side="right") - 1
    special = special[(value >= 0) & (special < last[value])]
    control = raw[special] < _SPACE  # between values: within strings JSON does not allow them
    raw[special[control]] = _SPACE
    return special[~control]
