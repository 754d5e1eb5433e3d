"""Extract the CSV from `{"report": "<csv>"}`, from file to file, of any size.

Here: `unwrap`, a JSON reader that holds only a piece of the long string at a time.
Add here when: the vendor wraps the report in another way.
Keep out: requests (client.py), and reading the CSV (warehouse/).

Python's own JSON reader would hold the body, its text and the report at once: over 1 GB for a report of 200 MB.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from orgdata_dagster.http.errors import BadBody
from orgdata_dagster.http.redaction import excerpt

MEMBER = "report"

_LONGEST_OTHER = 1 << 20  # characters of any value except the report
_LONGEST_ESCAPE = len(r"\ud83d\ude00")

# The content of a JSON string (RFC 8259, section 7): plain characters, short escapes, \uXXXX, and surrogate pairs. A
# lone surrogate is not a character. Every match can be decoded by itself.
_INSIDE = re.compile(
    r'(?:[^"\\\x00-\x1f]+'
    r'|\\["\\/bfnrt]'
    r"|\\u(?:[0-9abcefABCEF][0-9a-fA-F]|[dD][0-7])[0-9a-fA-F]{2}"
    r"|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})*"
)
_BLANKS = " \t\r\n"
_decode = json.JSONDecoder().raw_decode


def unwrap(body: Path, into: Path, *, piece: int = 1 << 16) -> None:
    """Write the report in the answer `body` to the file `into`, as UTF-8.

    piece: number of characters that are read at a time.

    Members besides `report` are ignored. Raises BadBody unless the answer is one JSON object with one string `report`;
    `into` may then contain a part of it.
    """
    try:
        with (
            body.open(encoding="utf-8-sig", newline="") as source,
            into.open("w", encoding="utf-8", newline="") as target,
        ):
            _unwrap(_Text(source, piece), target)
    except UnicodeDecodeError as error:
        raise BadBody(f"the answer is not UTF-8: {error.reason}") from None


class _Text:
    """The text of a file that has not been consumed yet, without leading blanks."""

    def __init__(self, file: TextIO, piece: int) -> None:
        self._file = file
        self._piece = piece
        self.text = ""

    def more(self) -> bool:
        """Read another piece; returns False at the end of the file."""
        piece = self._file.read(self._piece)
        self.text += piece
        return bool(piece)

    def peek(self) -> str:
        """The next character that is not a blank; empty at the end."""
        self.text = self.text.lstrip(_BLANKS)
        while not self.text and self.more():
            self.text = self.text.lstrip(_BLANKS)
        return self.text[:1]

    def expect(self, *characters: str) -> str:
        """Consume one of these characters and return it."""
        found = self.peek()
        if found not in characters:
            raise self._unexpected(*characters)
        self.text = self.text[1:]
        return found

    def name(self) -> object:
        """Consume the name of a member."""
        if self.peek() != '"':
            raise self._unexpected('"')
        return self.value()

    def value(self) -> object:
        """Consume one short JSON value."""
        while True:
            self.peek()
            try:
                value, end = _decode(self.text)
            except (ValueError, RecursionError):
                if len(self.text) > _LONGEST_OTHER or not self.more():
                    raise BadBody(f"the answer is not the expected JSON: {_shown(self.text)}") from None
                continue
            rest = self.text[end:].lstrip(_BLANKS)
            # `1` may be the start of `1.5`: a value ends only at the next separator
            if rest.startswith((":", ",", "}")) or len(self.text) > _LONGEST_OTHER or not self.more():
                self.text = rest
                return value

    def string(self) -> Iterator[str]:
        """Consume one JSON string of any length, piece by piece."""
        self.expect('"')
        while True:
            inside = _INSIDE.match(self.text)
            assert inside is not None  # the pattern also matches an empty text
            yield json.loads(f'"{inside.group()}"')
            self.text = self.text[inside.end() :]
            if self.text.startswith('"'):
                self.text = self.text[1:]
                return
            # the rest begins an escape that the end of the piece may have cut; a longer rest is not an escape
            if len(self.text) >= _LONGEST_ESCAPE:
                raise BadBody(f"the report contains an invalid JSON string: {_shown(self.text)}")
            if not self.more():
                raise BadBody(f"the report is truncated; its last characters are {_shown(self.text)}")

    def _unexpected(self, *due: str) -> BadBody:
        wanted = " or ".join(map(repr, due))
        return BadBody(f"the answer is not the expected JSON: expected {wanted}, found {_shown(self.text)}")


def _unwrap(text: _Text, target: TextIO) -> None:
    text.expect("{")
    reports = 0
    mark = "," if text.peek() != "}" else text.expect("}")
    while mark == ",":
        name = text.name()
        text.expect(":")
        if name == MEMBER:
            reports += 1
            target.writelines(text.string())
        else:
            text.value()
        mark = text.expect(",", "}")
    if reports != 1:
        raise BadBody(f"the answer has {reports or 'no'} members {MEMBER!r} instead of one")
    if text.peek():
        raise BadBody(f"the answer has text after its end: {_shown(text.text)}")


def _shown(text: str) -> str:
    return repr(excerpt(text, 40)) if text else "the end"
