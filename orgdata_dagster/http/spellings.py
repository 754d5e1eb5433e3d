"""Spellings of secrets: the encodings in which a secret may appear in a text, as a whole or in part.

Here: `Finder`, which replaces known values in a text.
Add here when: a secret is found in another spelling.
Keep out: which values are secret, and where texts come from (redaction.py).

There are three searches, from cheap to expensive: whole spellings; spellings in which each character may be encoded
differently (percent-encoded once or several times, as an HTML entity, as an escape); and parts of spellings.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from html.entities import html5
from urllib.parse import quote, quote_plus

REDACTED = "[redacted]"

_MIXED = 48  # characters of a value that are compared one by one; the rest of a longer one is skipped with them
_GRAM = 10  # a shorter part is not recognised
_TELLING = 16  # a part of at least this length is always redacted
_ESCAPED = re.compile(r"[%&\\+]")
# One character, or a part of a character that is percent-encoded more than once.
_ANY = r"(?:\\+u\{?[0-9A-Fa-f]{1,6}\}?|\\+x[0-9A-Fa-f]{2}|&(?:amp;)*\#?\w+;|%[0-9A-Fa-f]{2}|\\*[^\s\"'<>&\\])"
_NAMED = {"\n": "n", "\r": "r", "\t": "t", "\b": "b", "\f": "f"}


class Finder:
    """Finds and replaces values in any spelling."""

    def __init__(self, values: Iterable[str]) -> None:
        longest_first = sorted(values, key=len, reverse=True)
        self._spellings = {spelling for value in longest_first for spelling in _spellings(value)}
        # Longest first, because a spelling that is part of another one would leave the rest of it.
        whole = sorted(self._spellings, key=len, reverse=True)
        self._whole = re.compile("|".join(map(_matching, whole)))
        self._mixed = [_mixed(value) for value in longest_first]
        self._grams = _grams(self._spellings)
        self._heads = {
            spelling[:size] for spelling in self._spellings for size in range(1, min(len(spelling), _GRAM * 2))
        }

    def redact(self, text: str) -> str:
        """Replace every value in the text, and every longer part of one."""
        text = self._whole.sub(REDACTED, text)
        if _ESCAPED.search(text):
            for value in self._mixed:
                text = value.sub(REDACTED, text)
        return self._without_pieces(text)

    def redact_end(self, text: str, least: int) -> str:
        """Replace the start of a value, of at least `least` characters, at the end of a text that may have been cut."""
        for size in range(min(_GRAM * 2, len(text)), least - 1, -1):
            if text[-size:] in self._heads:
                return text[:-size] + REDACTED
        return text

    def _without_pieces(self, text: str) -> str:
        grams = self._grams
        if len(text) < _GRAM or not grams:
            return text
        parts, kept, at, last = [], 0, 0, len(text) - _GRAM
        while at <= last:
            needed = grams.get(text[at : at + _GRAM])
            if needed is None:
                at += 1
                continue
            end = at + 1
            while end <= last and (more := grams.get(text[end : end + _GRAM])) is not None:
                needed, end = min(needed, more), end + 1
            if end - 1 + _GRAM - at >= needed:
                parts += [text[kept:at], REDACTED]
                kept = end - 1 + _GRAM
            at = end
        return "".join([*parts, text[kept:]]) if parts else text


def _spellings(value: str) -> Iterator[str]:
    secret = value.encode(errors="surrogateescape")  # an environment variable need not be UTF-8
    yield value
    yield from (repr(value)[1:-1], repr(secret)[2:-1])
    yield from (json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1])
    yield from (quote(secret), quote(secret, safe=""), quote_plus(secret), html.escape(value))
    yield from (secret.hex(), secret.hex().upper())
    for encoded in (base64.b64encode(secret).decode(), base64.urlsafe_b64encode(secret).decode()):
        yield from (encoded, encoded.rstrip("="))
    yield from _base64_cores(secret)


def _base64_cores(secret: bytes) -> Iterator[str]:
    """The parts of base64 texts that contain the secret at any offset, such as that of `user:secret`."""
    for offset, mixed_with_before in enumerate((0, 2, 3)):
        padded = bytes(offset) + secret
        whole = len(padded) * 8 // 6
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            core = encode(padded).decode()[mixed_with_before:whole]
            if len(core) > 4:
                yield core


def _matching(spelling: str) -> str:
    # `%2F` and `%2f` are the same escape (RFC 3986, 2.1), also when mixed.
    return re.sub("%[0-9A-F]{2}", lambda escape: f"(?i:{escape[0]})", re.escape(spelling))


@lru_cache(maxsize=256)  # compiling takes 10 ms, and a finder is made for all values when one is added
def _mixed(value: str) -> re.Pattern[str]:
    """A pattern in which each character of the value may have any spelling."""
    rest = max(0, len(value) - _MIXED)
    return re.compile("".join(map(_character, value[:_MIXED])) + (f"{_ANY}{{0,{rest * 4}}}" if rest else ""))


@cache
def _character(character: str) -> str:
    octets, code = character.encode(errors="surrogateescape"), ord(character)
    plain = re.escape(character)
    ways = [_percent(octets)]
    if 0x80 <= code < 0x100:
        ways.append(_percent(bytes([code])))
    numbers = [rf"\#0*{code}", rf"\#[xX]0*(?i:{code:x})", *map(re.escape, _entities().get(character, ()))]
    ways.append(rf"&(?:amp;)*(?:{'|'.join(numbers)});?")
    units = character.encode("utf-16-be", "surrogatepass").hex()
    ways.append("".join(rf"\\+u(?i:{units[at : at + 4]})" for at in range(0, len(units), 4)))
    ways += [rf"\\+u\{{0*(?i:{code:x})\}}", "".join(rf"\\+x(?i:{octet:02x})" for octet in octets)]
    ways += [r"\\+"] if character == "\\" else []
    ways += [r"\+", _percent(b"+")] if character == " " else []
    ways += [rf"\\+{_NAMED[character]}"] if character in _NAMED else []
    # The plain character comes last, because it may be the start of an escape.
    return f"(?:{'|'.join(ways)}|{plain if character.isalnum() else chr(92) * 2 + '*' + plain})"


def _percent(octets: bytes) -> str:
    return "".join(f"%(?:25)*(?i:{octet:02x})" for octet in octets)


@cache
def _entities() -> dict[str, list[str]]:
    """Character -> its HTML entities."""
    found: dict[str, list[str]] = {}
    for name, character in html5.items():
        if name.endswith(";"):
            found.setdefault(character, []).append(name[:-1])
    return found


def _grams(spellings: Iterable[str]) -> dict[str, int]:
    """Every part of `_GRAM` characters -> the length that a part around it must have to be redacted."""
    grams: dict[str, int] = {}
    for spelling in spellings:
        needed = max(_GRAM, min(_TELLING, -(-len(spelling) * 3 // 5)))
        for at in range(len(spelling) - _GRAM + 1):
            gram = spelling[at : at + _GRAM]
            grams[gram] = min(needed, grams.get(gram, needed))
    return grams
