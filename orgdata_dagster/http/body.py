"""Bodies of answers: data saved to a file, or the error message of a refusal.

Here: streaming a body to a file, detecting bodies that are truncated or not data, and the default reader of errors.
Add here when: there is another general sign of a broken body, or another common error format.
Keep out: parsing data, and the error format of one vendor (its client.py).
"""

import json
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import httpx

from orgdata_dagster.http.characters import Watch, replace_invalid
from orgdata_dagster.http.errors import BadBody, ErrorDetail
from orgdata_dagster.http.redaction import redact_end

ERROR_BODY_CAP = 64 * 1024
# Not decoded by httpx, which accepts a gzip stream without its end. Only gzip is requested.
ACCEPT_ENCODING = "gzip"
_GZIP = zlib.MAX_WBITS | 16
_CHUNK = 1024 * 1024
_HEAD = 1024  # bytes that are enough to recognise an HTML page
_HTML = "the answer is an HTML page, not data"


@dataclass(frozen=True)
class Saved:
    """A saved body: its size in bytes, its first bytes, and the number of replaced characters.

    content: the body, if it was kept in memory and has no file.
    """

    size: int
    head: bytes
    replaced: int
    content: bytes | None = None


def check_announced(response: httpx.Response) -> None:
    """Raise BadBody if the status and the headers announce something else than the requested data."""
    if "text/html" in response.headers.get("content-type", "").lower() and not _wants_html(response):
        raise BadBody(_HTML)
    if response.status_code == httpx.codes.PARTIAL_CONTENT:
        raise BadBody("the answer is only a part of the data, which was not requested (HTTP 206)")


def check_start(response: httpx.Response, head: bytes) -> None:
    """Raise BadBody if the body begins like an HTML page, which was not requested."""
    if is_html(head) and not _wants_html(response):
        raise BadBody(_HTML)


def _wants_html(response: httpx.Response) -> bool:
    return "text/html" in response.request.headers.get("accept", "")


def save(response: httpx.Response, path: Path, small: int = 0) -> Saved:
    """Write the decoded body to `path` in chunks.

    small: a body of at most so many bytes is kept in memory instead, unless a character must be replaced.

    Raises BadBody if the body is truncated or has an encoding that was not requested; httpx.TransportError like httpx.
    """
    first, watch, size = b"", Watch(), 0
    with ExitStack() as opened:
        file: BinaryIO | None = None
        try:
            for chunk in _decoded(response):
                watch.see(chunk)
                size += len(chunk)
                if file is None and size > small:
                    file = opened.enter_context(path.open("wb"))
                    file.write(first)
                if file is not None:
                    file.write(chunk)
                if len(first) < _HEAD or file is None:
                    first += chunk
        except (httpx.RemoteProtocolError, zlib.error) as error:
            raise BadBody(f"the body is truncated or damaged: {error}") from None
    _check_length(response)
    damaged = watch.end()
    if file is None and small and not damaged:
        return Saved(size, first[:_HEAD], 0, first)
    if file is None:
        path.write_bytes(first)
    return Saved(size, first[:_HEAD], replace_invalid(path) if damaged else 0)


def _check_length(response: httpx.Response) -> None:
    """Raise BadBody if the body is shorter or longer than the response promised."""
    promised = response.headers.get("content-length", "")
    received = response.num_bytes_downloaded
    if promised.isdigit() and int(promised) != received and response.request.method != "HEAD":
        raise BadBody(f"the body is truncated: {received} of {promised} bytes")


def ends_with_connection(response: httpx.Response) -> bool:
    """Whether only the end of the connection marks the end of the body, so that a cut body looks complete."""
    return response.status_code != 204 and not {"content-length", "transfer-encoding"} & response.headers.keys()


def read_head(response: httpx.Response) -> bytes:
    """The first 64 KiB of the body of a refusal, or what can be read of them."""
    head, is_cut = bytearray(), False
    try:
        for chunk in _decoded(response):
            head += chunk
            if is_cut := len(head) > ERROR_BODY_CAP:
                break
    except (httpx.TransportError, zlib.error, BadBody):
        is_cut = True  # only the status matters
    body = bytes(head[:ERROR_BODY_CAP])
    return _without_cut_secret(body) if is_cut else body


def _without_cut_secret(body: bytes) -> bytes:
    text = body.decode("utf-8", errors="surrogateescape")
    clean = redact_end(text, 1)
    return body if clean == text else clean.encode("utf-8", errors="surrogateescape")


def is_html(head: bytes) -> bool:
    """Whether a body starts like an HTML page."""
    return head.removeprefix(b"\xef\xbb\xbf").lstrip()[:14].lower().startswith((b"<!doctype html", b"<html"))


def file_is_html(path: Path) -> bool:
    """Like `is_html`, for a file."""
    with path.open("rb") as file:
        return is_html(file.read(_HEAD))


def read_error(body: bytes, headers: httpx.Headers) -> ErrorDetail:
    """Read code and message from the common shapes: text, JSON `{code|title, message|detail}`, also under `error`."""
    if is_html(body) or "text/html" in headers.get("content-type", ""):
        return ErrorDetail(message="an HTML page instead of the API's answer")
    text = body.decode("utf-8", errors="replace")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return ErrorDetail(message=text)
    if not isinstance(found, dict):
        return ErrorDetail(message=text)
    inner = found.get("error")
    fields = inner if isinstance(inner, dict) else found
    message = fields.get("message") or fields.get("detail") or (inner if isinstance(inner, str) else text)
    return ErrorDetail(str(fields.get("code") or fields.get("title") or ""), str(message))


def _decoded(response: httpx.Response) -> Iterator[bytes]:
    encoding = response.headers.get("content-encoding", "").strip().lower()
    if encoding in ("", "identity"):
        return response.iter_raw()
    if encoding in ("gzip", "x-gzip"):
        return _gunzip(response.iter_raw())
    raise BadBody(f"the body is encoded as {encoding}, which was not requested")


def _gunzip(chunks: Iterable[bytes]) -> Iterator[bytes]:
    decoder = None
    for chunk in chunks:
        rest = chunk
        while rest:
            if decoder is None or decoder.eof:  # a gzip stream may have several members
                decoder = zlib.decompressobj(_GZIP)
            yield decoder.decompress(rest, _CHUNK)  # bounded: 64 KiB can unfold to 64 MiB
            rest = decoder.unconsumed_tail or decoder.unused_data
    if decoder is not None:
        yield decoder.flush()
        if not decoder.eof:
            raise BadBody("the body is cut short: its gzip stream has no end")
