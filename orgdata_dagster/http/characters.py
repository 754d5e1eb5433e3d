"""Replacing invalid characters by U+FFFD, so that one of them does not prevent a whole answer from landing.

Here: finding and replacing bytes that are not UTF-8, zero bytes, and JSON escapes of half a surrogate pair or of a zero
byte.
Add here when: another character prevents an answer from landing.
Keep out: parsing the text (a vendor's client.py, warehouse/pages/).
"""

import codecs
import re
from pathlib import Path

import numpy as np

from orgdata_dagster.http.errors import BadBody

REPLACEMENT = "\ufffd"

_CHUNK = 1 << 20
_BOM = b"\xef\xbb\xbf"
_HEAD = 64
_A_FEW, _MOST = 8, 10  # more than 8 invalid characters that are more than one in 10 bytes mean another encoding
_SPACE, _LINE_END = 32, 10
_CONTROLS = bytes([*range(9), 11, 12, *range(14, 32)])
_SUSPECT = re.compile(rb"\\u(?:[dD][89a-fA-F]|0000)")
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"  # a whole pair
    rb"|(u[dD][89a-fA-F][0-9a-fA-F]{2}|u0000)"  # half of one, or a zero byte
    rb"|.)",
    re.DOTALL,
)
_CONTROL = re.compile(rb"[\x01-\x08\x0b\x0c\x0e-\x1f]")
_ZERO = re.compile(rb"\x00")
_WRONG_BYTES = re.compile("\udced[\udca0-\udcbf][\udc80-\udcbf]|[\udc80-\udcff]")  # the first: half of a pair
_IN_ESCAPES = frozenset(rb"0123456789abcdefABCDEFu\\")


class Watch:
    """Checks quickly, while a body is saved, whether it may contain an invalid character. May be a false alarm."""

    def __init__(self) -> None:
        self.suspicious = False
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._tail = b""

    def see(self, chunk: bytes) -> None:
        """Check the next bytes."""
        if not self.suspicious:
            self.suspicious = self._suspect(chunk)

    def end(self) -> bool:
        """Whether the complete body may contain an invalid character."""
        if not self.suspicious:
            try:
                self._decoder.decode(b"", final=True)
            except UnicodeDecodeError:
                self.suspicious = True
        return self.suspicious

    def _suspect(self, chunk: bytes) -> bool:
        try:
            self._decoder.decode(chunk)
        except UnicodeDecodeError:
            return True
        seen = self._tail + chunk  # an escape may cross the end of a chunk
        self._tail = seen[-6:]
        # several cheap checks, because every byte of every answer passes here: one pattern for all would be slower
        codes = np.frombuffer(seen, dtype=np.uint8)
        if ((codes < _SPACE) & (codes != _LINE_END)).any() and len(seen.translate(None, _CONTROLS)) < len(seen):
            return True
        return b"\\" in seen and b"\\u" in seen and _SUSPECT.search(seen) is not None


def replace_invalid(path: Path, *, chunk_size: int = _CHUNK, a_few: int = _A_FEW) -> int:
    """Replace the invalid characters of a file in place; returns their number.

    chunk_size: bytes that are read at once.
    a_few: number of invalid characters that are always accepted.

    Raises BadBody if there are so many that the text must be in another encoding.
    """
    clean, bad, rest, is_json = path.with_name(path.name + ".clean"), 0, b"", _begins_as_json(path)
    decoder = codecs.getincrementaldecoder("utf-8")(errors="surrogateescape")
    try:
        with path.open("rb") as source, clean.open("wb") as target:
            ended = False
            while not ended:
                chunk = source.read(chunk_size)
                ended = not chunk
                text, wrong = _WRONG_BYTES.subn(REPLACEMENT, decoder.decode(chunk, final=ended))
                part, rest = _whole_escapes(rest + text.encode(), ended)
                part, spoiled = _replaced(part, is_json)
                bad += wrong + spoiled
                target.write(part)
        if bad > a_few and bad * _MOST > path.stat().st_size:
            raise BadBody(f"the text is not UTF-8: {bad} wrong characters in {path.stat().st_size} bytes")
        clean.replace(path)
    finally:
        clean.unlink(missing_ok=True)
    return bad


def _replaced(part: bytes, is_json: bool) -> tuple[bytes, int]:
    part, bad = _ZERO.subn(REPLACEMENT.encode(), part)
    if not is_json:
        return part, bad
    part = _CONTROL.sub(lambda found: b"\\u%04x" % ord(found.group()), part)  # lossless: JSON requires this escape
    halves = 0

    def spelled(found: re.Match[bytes]) -> bytes:
        nonlocal halves
        if found.group(1) is None:
            return found.group()
        halves += 1
        return b"\\ufffd"

    return _ESCAPE.sub(spelled, part), bad + halves


def _whole_escapes(text: bytes, ended: bool) -> tuple[bytes, bytes]:
    """Split the text at a position that is not inside an escape."""
    if ended:
        return text, b""
    cut = len(text)
    while cut and text[cut - 1] in _IN_ESCAPES:
        cut -= 1
    return text[:cut], text[cut:]


def _begins_as_json(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(_HEAD).removeprefix(_BOM).lstrip()[:1] in (b"{", b"[")
