"""The format of HTTP/1.1: writing requests, and reading the head and the body of responses.

Here: `request_bytes`, `read_head`, `parts`, and the buffer `Wire` from which they read.
Add here when: a server uses a part of the standard (RFC 9112) that is not supported yet.
Keep out: connecting and keeping connections (transport.py), the content of a body (body.py).

Parsing is strict where an error could mix up two responses: lengths, chunks, and line ends within a header. It accepts
two common deviations: a line may end without a carriage return, and a header may continue on the next line.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import httpcore
import httpx

_READ = 64 * 1024
_LONGEST_HEAD = 100 * 1024
_LONGEST_LINE = 1024
_MOST_HEADS = 20  # of one answer: the last, and those that announce it
_HEAD_END = re.compile(rb"\n\r?\n")
_STATUS_LINE = re.compile(rb"HTTP/(\d\.\d) (\d{3})(?: ([^\x00-\x08\x0a-\x1f\x7f]*))?")
_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_NAME = re.compile(_TOKEN)
_LENGTH = re.compile(rb"\d{1,20}")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;.*)?")
_FIRST_LINE_SENT = re.compile(rb"[A-Z]+ [\x21-\x7e]+ HTTP/1\.1\r\n")
_FIELDS_SENT = re.compile(rb"(?:" + _TOKEN + rb": [^\x00\r\n]*\r\n)+")

Fields = Sequence[tuple[bytes, bytes]]


class Wire:
    """The responses on one connection.

    buffer: bytes that have arrived and were not consumed yet.
    timeout: seconds to wait for more bytes. left: seconds left for the exchange.
    """

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self.stream = stream
        self.buffer = b""
        self.timeout = math.inf
        self.left: Callable[[], float] = lambda: math.inf

    def more(self) -> bool:
        """Wait for more bytes; returns False if the server has closed the connection instead.

        Raises httpcore.ReadTimeout if they do not arrive in time, also if they arrive in drips.
        """
        if (left := self.left()) <= 0:
            raise httpcore.ReadTimeout("no time is left for this exchange")
        seconds = min(self.timeout, left)
        arrived = self.stream.read(_READ, None if seconds == math.inf else seconds)
        self.buffer = self.buffer + arrived if self.buffer else arrived
        return bool(arrived)

    def take(self, most: int) -> bytes:
        """Consume at least one byte and at most `most`. Raises RemoteProtocolError if the connection was closed."""
        if not self.buffer and not self.more():
            raise httpx.RemoteProtocolError("the connection was closed in the middle of the answer")
        taken, self.buffer = self.buffer[:most], self.buffer[most:]
        return taken

    def line(self) -> bytes:
        """Consume the next line; returns it without its line end.

        Raises RemoteProtocolError if the connection was closed or the line is too long.
        """
        while (end := self.buffer.find(b"\n")) < 0:
            if len(self.buffer) > _LONGEST_LINE:
                raise httpx.RemoteProtocolError("a line of the answer is too long")
            if not self.more():
                raise httpx.RemoteProtocolError("the connection was closed in the middle of the answer")
        line, self.buffer = self.buffer[:end], self.buffer[end + 1 :]
        return line.removesuffix(b"\r")


@dataclass(frozen=True)
class Head:
    """The head of a response.

    length: bytes of the body; None if chunks or the end of the connection mark its end.
    chunked: whether the body is sent in chunks.
    keeps: whether the connection may be used again after the body.
    """

    status: int
    reason: bytes
    version: bytes
    fields: Fields
    length: int | None
    chunked: bool
    keeps: bool


def request_bytes(request: httpx.Request) -> bytes:
    """The request as bytes.

    Raises LocalProtocolError if a character could make it more than one request, or if it has no known length. The
    message contains no values, because they may be secret.
    """
    first = b"%s %s HTTP/1.1\r\n" % (request.method.encode(), request.url.raw_path)
    fields = b"".join([b"%s: %s\r\n" % field for field in request.headers.raw])
    lines = len(request.headers.raw)  # a value with a line end would be two fields
    if not _FIRST_LINE_SENT.fullmatch(first) or not _FIELDS_SENT.fullmatch(fields) or fields.count(b"\n") != lines:
        raise httpx.LocalProtocolError("the request line or a header has a character that is not allowed there")
    if "transfer-encoding" in request.headers:
        raise httpx.LocalProtocolError("a body must have a known length")
    return b"%s%s\r\n%s" % (first, fields, request.read())


def read_head(wire: Wire, method: str) -> Head:
    """Read the head of the response to a request with this method.

    Raises RemoteProtocolError if it is not valid HTTP/1, or if the end of the body is ambiguous.
    """
    for _ in range(_MOST_HEADS):
        head = _parsed(_head_text(wire), method)
        if head.status == 101:
            raise httpx.RemoteProtocolError("the server switches to another protocol, which was not requested")
        if head.status >= 200:
            return head
    raise httpx.RemoteProtocolError("the server announces an answer again and again, but sends none")


def parts(wire: Wire, head: Head) -> Iterator[bytes]:
    """The body in parts, as it arrives. Raises RemoteProtocolError if it is incomplete or a chunk is malformed."""
    if head.chunked:
        return _chunks(wire)
    return _until_closed(wire) if head.length is None else _counted(wire, head.length)


def _counted(wire: Wire, length: int) -> Iterator[bytes]:
    left = length
    while left:
        if not wire.buffer and not wire.more():
            raise httpx.RemoteProtocolError(f"the connection was closed after {length - left} of {length} bytes")
        part = wire.take(left)
        left -= len(part)
        yield part


def _chunks(wire: Wire) -> Iterator[bytes]:
    while True:
        size = _CHUNK_SIZE.fullmatch(wire.line())
        if size is None:
            raise httpx.RemoteProtocolError("a chunk has no valid size")
        if not (length := int(size[1], 16)):
            break
        yield from _counted(wire, length)
        if wire.line():
            raise httpx.RemoteProtocolError("a chunk is longer than its size")
    length_of_fields = 0
    while line := wire.line():  # header fields after the body, which are ignored
        length_of_fields += len(line)
        if length_of_fields > _LONGEST_HEAD:
            raise httpx.RemoteProtocolError("the headers after the body are too long")


def _until_closed(wire: Wire) -> Iterator[bytes]:
    while wire.buffer or wire.more():
        yield wire.take(_READ)


def _head_text(wire: Wire) -> bytes:
    seen = 0
    while (end := _HEAD_END.search(wire.buffer, max(0, seen - 3))) is None:
        seen = len(wire.buffer)
        if not wire.buffer.startswith(b"HTTP/"[:seen]):
            raise httpx.RemoteProtocolError("illegal status line")
        if seen > _LONGEST_HEAD:
            raise httpx.RemoteProtocolError("the headers are too long")
        if not wire.more():
            raise httpx.RemoteProtocolError(
                "the server closed the connection within the headers"
                if seen
                else "the server closed the connection without an answer"
            )
    text, wire.buffer = wire.buffer[: end.start()], wire.buffer[end.end() :]
    return text


def _parsed(text: bytes, method: str) -> Head:
    first, *lines = text.replace(b"\r\n", b"\n").removesuffix(b"\r").split(b"\n")
    status = _STATUS_LINE.fullmatch(first)
    if status is None:
        raise httpx.RemoteProtocolError("illegal status line")
    fields: list[tuple[bytes, bytes]] = []
    lengths, codings, options = set[bytes](), list[bytes](), b""
    for line in _unfolded(lines):
        name, separator, value = line.partition(b":")
        if not separator or not _NAME.fullmatch(name) or b"\r" in value or b"\x00" in value:
            raise httpx.RemoteProtocolError("illegal header line")
        value = value.strip(b" \t")
        fields.append((name, value))
        match name.lower():
            case b"content-length":
                lengths |= {each.strip() for each in value.split(b",")}
            case b"transfer-encoding":
                codings.append(value.lower())
            case b"connection":
                options += b"," + value.lower()
    version, code = status[1], int(status[2])
    length = _length(lengths)
    if codings and codings != [b"chunked"]:
        raise httpx.RemoteProtocolError("the body has a transfer encoding that is not supported")
    chunked = bool(codings)
    if method == "HEAD" or code < 200 or code in (204, 304):
        chunked, length = False, 0
    closes = version == b"1.0" or b"close" in {each.strip() for each in options.split(b",")}
    keeps = not closes and (chunked or length is not None)
    return Head(code, status[3] or b"", b"HTTP/" + version, fields, length, chunked, keeps)


def _unfolded(lines: Sequence[bytes]) -> list[bytes]:
    """The header lines, after joining each continuation line to the line before it."""
    joined: list[bytes] = []
    for line in lines:
        if line[:1] not in (b" ", b"\t"):
            joined.append(line)
        elif joined:
            joined[-1] += b" " + line.strip()
        else:
            raise httpx.RemoteProtocolError("illegal header line")
    return joined


def _length(stated: set[bytes]) -> int | None:
    if not stated:
        return None
    if len(stated) > 1 or not all(map(_LENGTH.fullmatch, stated)):
        raise httpx.RemoteProtocolError("Content-Length is not a number, or there are several different ones")
    return int(stated.pop())
