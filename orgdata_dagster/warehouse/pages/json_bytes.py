"""The bytes of a JSON body: finding where its records begin and end.

Here: `rewrite`, which needs no Python object per value and a constant amount of memory. Add here: another shape around
records. Keep out: the characters of a part (json_tokens.py), quoting numbers (json_numbers.py), keys and SQL.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple, TypeVar

import numpy as np

from orgdata_dagster.warehouse.errors import UnreadablePage
from orgdata_dagster.warehouse.excerpts import excerpt
from orgdata_dagster.warehouse.pages.json_layout import Layout
from orgdata_dagster.warehouse.pages.json_numbers import may_be_spoiled, spare
from orgdata_dagster.warehouse.pages.json_tokens import WHITESPACE, Tokens, scan
from orgdata_dagster.warehouse.pages.record_size import LARGEST_RECORD, too_large_in_json

ARRAY = "[]"
OBJECT = "{}"

CHUNK = 1 << 20  # bytes that are read at a time
_MOST_AT_ONCE = 16 << 20
_BOM = b"\xef\xbb\xbf"

T = TypeVar("T")


class Rewritten(NamedTuple):
    """The result of rewriting a body.

    records: number of records.
    longest: upper bound of the size of a record, in bytes.
    """

    records: int
    longest: int


def rewrite(path: Path, records: str, layout: Layout | None = None) -> Rewritten:
    """Replace the body in the file by a bare array of its records.

    records: see json_pages.prepare.
    layout: receives every part of the records.

    Raises UnreadablePage if the body is cut short or has no such records; RecordTooLarge.
    """
    if path.stat().st_size <= CHUNK:
        text = path.read_bytes()
        clean, found = rewritten(text, path.name, records, layout)
        if clean != text:
            _replace(path, lambda target: target.write(clean))
        return found
    with path.open("rb") as source:
        return _replace(path, lambda target: _copy(source, target, path.name, records, layout))


def rewritten(text: bytes, name: str, records: str, layout: Layout | None = None) -> tuple[bytes, Rewritten]:
    """Like `rewrite`, for a body in memory: returns the bare array and the figures. `name`: the page's name."""
    clean = io.BytesIO()
    found = _copy(io.BytesIO(text), clean, name, records, layout)
    return clean.getvalue(), found


def bare(text: bytes, records: str) -> bytes | None:
    """What `rewrite` would certainly make of a small body without an envelope, provided that it is well-formed.

    A body with OBJECT is well-formed if the result has exactly one record. None if only `rewrite` can tell.
    """
    if records == ARRAY and text.startswith(b"[") and text.endswith(b"]") and not may_be_spoiled(text):
        return text
    if records == OBJECT and text.startswith(b"{") and text.endswith(b"}") and not may_be_spoiled(text):
        return b"[%s]" % text
    return None


def _replace(path: Path, write: Callable[[BinaryIO], T]) -> T:
    clean = path.with_name(path.name + ".clean")
    try:
        with clean.open("wb") as target:
            result = write(target)
        path.unlink()  # some file systems wait for the disk when a rename replaces a file
        clean.rename(path)
    finally:
        clean.unlink(missing_ok=True)
    return result


def _copy(source: BinaryIO, target: BinaryIO, name: str, records: str, layout: Layout | None) -> Rewritten:
    """Write the records as a bare array."""
    body, count, longest = _Body(source, name), 0, 0
    prefix = body.begin(records)
    target.write(b"[")
    for part, tokens in body.parts():
        if not tokens.records and part.strip(WHITESPACE):
            raise UnreadablePage(f"{name} contains records that are not objects: {_shown(part)}")
        if len(part) > LARGEST_RECORD + CHUNK:  # a part may also contain one chunk of smaller records
            raise too_large_in_json(name, part[:LARGEST_RECORD], io.BytesIO(part[LARGEST_RECORD:]))
        count += tokens.records
        text, spared = spare(part, tokens)
        if layout:
            layout.see(part, tokens, spared)
        longest = max(longest, len(text))  # a record longer than a chunk is a part of its own
        target.write(text)
    target.write(b"]")
    _check_envelope(name, prefix, body.suffix, records)
    return Rewritten(count, longest)


class _Body:
    """A body that is read once, from the beginning of its records to their end."""

    def __init__(self, source: BinaryIO, name: str) -> None:
        self.suffix = b""
        self._source = source
        self._name = name
        self._buffer = source.read(CHUNK).removeprefix(_BOM)
        self._alone = False

    def begin(self, records: str) -> bytes:
        """Move past the bracket that opens the records; returns the bytes before it."""
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

    def parts(self) -> Iterator[tuple[bytes, Tokens]]:
        """The records in parts of about one chunk. A part contains only whole records."""
        while True:
            tokens = scan(self._buffer)
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
        """The bytes before the bracket of the envelope's array at `key`, a name or a dotted path of names."""
        path = key.split(".")
        named = re.compile(re.escape(json.dumps(path[-1]).encode()) + rb"\s*:\s*\[")
        while True:
            tokens = scan(self._buffer)
            for match in named.finditer(self._buffer):
                place = int(np.searchsorted(tokens.at, match.end() - 1))
                inside_a_string = place == tokens.at.size or tokens.at[place] != match.end() - 1
                if inside_a_string or tokens.depth[place] != len(path) + 1:
                    continue
                if len(path) == 1 or _leads(self._buffer[: match.end() - 1], path):
                    return self._buffer[: match.end() - 1]
            try:
                self._more(0)
            except UnreadablePage:
                begin = _shown(self._buffer)
                raise UnreadablePage(f"{self._name} has no array {key!r}; it begins with {begin}") from None

    def _more(self, done: int) -> None:
        if len(self._buffer) - done > LARGEST_RECORD:
            raise too_large_in_json(self._name, self._buffer[done:], self._source)
        # double the buffer, so that a record larger than a chunk is not scanned too often
        more = self._source.read(min(max(CHUNK, len(self._buffer) - done), _MOST_AT_ONCE))
        if not more:
            raise UnreadablePage(f"{self._name} ends within its records: the body was cut short")
        self._buffer = self._buffer[done:] + more


def _check_envelope(name: str, prefix: bytes, suffix: bytes, records: str) -> None:
    if records in (ARRAY, OBJECT):
        if suffix.strip(WHITESPACE):
            raise UnreadablePage(f"{name} continues after its records: {_shown(suffix)}")
        return
    try:
        json.loads(prefix + b"null" + suffix)
    except (ValueError, RecursionError) as error:
        raise UnreadablePage(f"{name} has an envelope that is not well-formed JSON: {error}") from None


def _leads(prefix: bytes, path: Sequence[str]) -> bool:
    """Whether the place after a prefix is at this path. Closes everything that is open in the prefix, and parses it."""
    tokens = scan(prefix)
    opened = [bytes([kind]) for kind in tokens.kind if kind in b"{[}]"]
    still_open: list[bytes] = []
    for each in opened:
        if each in (b"{", b"["):
            still_open.append(b"}" if each == b"{" else b"]")
        else:
            still_open.pop()
    try:
        found = json.loads(prefix + b'"here"' + b"".join(reversed(still_open)))
        for name in path:
            found = found[name]
    except (ValueError, RecursionError, LookupError, TypeError):
        return False
    return bool(found == "here")


def _shown(text: bytes) -> str:
    return repr(excerpt(text.strip(WHITESPACE)[:CHUNK].decode(errors="replace"), 60))
