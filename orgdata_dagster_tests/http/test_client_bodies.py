"""A body is complete or an error: there are never half files, and HTML is never mistaken for data."""

import gzip
import os
import tracemalloc
import zlib
from collections.abc import Callable
from typing import BinaryIO

import httpx
import pytest

from orgdata_dagster.http import body
from orgdata_dagster.http.errors import ErrorDetail, RetriesExhausted
from orgdata_dagster.http.rest.errors import ErrorRules
from orgdata_dagster.http.retry import RetryPolicy
from orgdata_dagster_tests.http.loopback import Reply
from orgdata_dagster_tests.http.rig import Rig

ROWS = b"".join(b"%d,%x\n" % (i, i * 2_654_435_761) for i in range(20_000))
PACKED = gzip.compress(ROWS)
GZIP, CHUNKED = {"Content-Encoding": "gzip"}, {"Transfer-Encoding": "chunked"}
GOOD = Reply(200, b"good")


def chunks(*parts: bytes, end: bool = True) -> Callable[[BinaryIO], None]:
    def write(wire: BinaryIO) -> None:
        for part in parts:
            wire.write(b"%x\r\n%s\r\n" % (len(part), part))
        if end:
            wire.write(b"0\r\n\r\n")

    return write


# A body in chunks has no Content-Length; `length=None` also closes the connection after it.
FAULTS = {
    "shorter than its Content-Length": Reply(200, b"half", length=8),
    "nothing of its Content-Length": Reply(200, b"", length=8),
    "chunks without an end": Reply(200, length=None, headers=CHUNKED, write=chunks(b"half", end=False)),
    "a chunk cut short": Reply(200, length=None, headers=CHUNKED, write=lambda wire: wire.write(b"8\r\nhalf")),
    "gzip without its end": Reply(200, PACKED[:-9], GZIP),
    "gzip of one byte less": Reply(200, PACKED[:-1], GZIP),
    "gzip without its end, until the connection closes": Reply(200, PACKED[:5000], GZIP, length=None),
    "gzip without its end, in whole chunks": Reply(
        200, length=None, headers={**GZIP, **CHUNKED}, write=chunks(PACKED[:5000])
    ),
    "gzip with a wrong checksum": Reply(200, PACKED[:-8] + b"\0" * 8, GZIP),
    "not gzip at all": Reply(200, b"plain text", GZIP),
    "an encoding nobody asked for": Reply(200, b"\x0b\x02\x80hello\x03", {"Content-Encoding": "br"}),
    "a page by its type": Reply(200, b"sign in", {"Content-Type": "text/html; charset=utf-8"}),
    "a page by its looks": Reply(200, b"\xef\xbb\xbf \r\n<!DOCTYPE HTML><p>sign in", {"Content-Type": "text/csv"}),
    "a page by its looks, packed": Reply(200, gzip.compress(b"<HTML lang=en>"), GZIP),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_broken_body_is_retried(rig: Rig, fault: Reply) -> None:
    rig.server.answer(fault, GOOD)
    assert rig.fetch(rig.client()) == b"good"
    assert len(rig.rate_limit.paid) == 2
    assert "body" in (rig.records[0].error or "") or "HTML" in (rig.records[0].error or "")


@pytest.mark.parametrize("fault", [FAULTS["shorter than its Content-Length"], FAULTS["a page by its looks"]])
def test_a_body_that_stays_broken_leaves_no_file(rig: Rig, fault: Reply) -> None:
    rig.server.answer(fault)
    with pytest.raises(RetriesExhausted):
        rig.fetch(rig.client(retry=RetryPolicy(attempts=2)), read=lambda _: pytest.fail("read a bad body"))
    assert rig.left_over() == []


def test_a_part_of_the_data_that_was_not_requested_is_not_the_data(rig: Rig) -> None:
    rig.server.answer(Reply(206, ROWS, {"Content-Range": f"bytes 0-{len(ROWS) - 1}/4000"}), Reply(200, ROWS))
    assert rig.fetch(rig.client()) == ROWS
    assert rig.records[0].error == "the answer is only a part of the data, which was not requested (HTTP 206)"


WHOLE = {
    "plain": (Reply(200, ROWS), ROWS),
    "empty": (Reply(200, b""), b""),
    "no content": (Reply(204, b""), b""),
    "until the connection closes": (Reply(200, ROWS, length=None), ROWS),
    "chunks": (Reply(200, length=None, headers=CHUNKED, write=chunks(ROWS[:70_000], ROWS[70_000:])), ROWS),
    "gzip": (Reply(200, PACKED, GZIP), ROWS),
    "gzip of nothing": (Reply(200, gzip.compress(b""), GZIP), b""),
    "gzip, but nothing there": (Reply(200, b"", GZIP), b""),
    "gzip in two members": (Reply(200, PACKED + gzip.compress(b"tail"), GZIP), ROWS + b"tail"),
    "gzip in small chunks": (
        Reply(
            200,
            length=None,
            headers={**GZIP, **CHUNKED},
            write=chunks(*(PACKED[i : i + 997] for i in range(0, len(PACKED), 997))),
        ),
        ROWS,
    ),
    "identity by name": (Reply(200, b"x", {"Content-Encoding": "identity"}), b"x"),
    "html in a cell": (Reply(200, b"id,note\n1,<html>\n"), b"id,note\n1,<html>\n"),
}


@pytest.mark.parametrize(("reply", "data"), WHOLE.values(), ids=WHOLE)
def test_a_complete_body_is_accepted(rig: Rig, reply: Reply, data: bytes) -> None:
    rig.server.answer(reply)
    assert rig.fetch(rig.client()) == data
    assert (len(rig.rate_limit.paid), rig.left_over()) == (1, ["page"])


@pytest.mark.parametrize("reply", [Reply(200, b"x" * 9), Reply(200, gzip.compress(b"x" * 9), GZIP), Reply(200, b"")])
@pytest.mark.parametrize("small", [8, 9])
def test_a_small_body_is_kept_in_memory_on_request(rig: Rig, reply: Reply, small: int) -> None:
    rig.server.answer(reply)
    found = rig.client().fetch("/x", into=rig.into, small=small, read=lambda download: download)
    assert (found.content is None) == (found.bytes > small)
    assert rig.left_over() == (["page"] if found.bytes > small else [])
    assert (found.path.read_bytes() if found.content is None else found.content) == b"x" * found.bytes


def test_a_small_body_with_an_invalid_character_is_corrected_in_a_file(rig: Rig) -> None:
    rig.server.answer(Reply(200, b"a\xffb"))
    found = rig.client().fetch("/x", into=rig.into, small=100, read=lambda download: download)
    assert (found.content, found.path.read_text(), found.replaced_characters) == (None, "a\ufffdb", 1)


@pytest.mark.parametrize("fault", [FAULTS["shorter than its Content-Length"], FAULTS["a page by its looks"]])
def test_a_small_body_that_is_broken_is_refused_in_memory_too(rig: Rig, fault: Reply) -> None:
    rig.server.answer(fault)
    with pytest.raises(RetriesExhausted):
        rig.fetch(rig.client(retry=RetryPolicy(attempts=1)), small=100, read=lambda _: pytest.fail("read a bad body"))
    assert rig.left_over() == []


def test_html_is_accepted_if_the_request_accepts_it(rig: Rig) -> None:
    page = b"<html>hello"
    rig.server.answer(Reply(200, page, {"Content-Type": "text/html"}))
    assert rig.fetch(rig.client(), headers={"accept": "text/html"}) == page


def test_httpx_accepts_a_gzip_stream_without_its_end() -> None:
    """This is why `body` decodes gzip itself. Once httpx refuses such a stream, `body` can leave decoding to httpx."""
    decoded = httpx.Response(200, headers=GZIP, content=PACKED[:5000]).content
    assert 0 < len(decoded) < len(ROWS)


@pytest.mark.parametrize("packed", [False, True])
def test_memory_does_not_grow_with_the_body(rig: Rig, packed: bool) -> None:
    size, block = 200 * 1024 * 1024, b"0123456789abcde\n" * 65_536

    def write(wire: BinaryIO) -> None:
        for _ in range(size // len(block)):
            wire.write(block)

    if packed:
        packer = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
        body = b"".join([*(packer.compress(block) for _ in range(size // len(block))), packer.flush()])
        rig.server.answer(Reply(200, body, GZIP))
    else:
        rig.server.answer(Reply(200, length=size, write=write))
    client = rig.client()
    tracemalloc.start()
    try:
        assert rig.fetch(client, read=lambda download: os.path.getsize(download.path)) == size
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 * 1024 * 1024


@pytest.mark.parametrize("read", [body.read_error, ErrorRules("code", "message").read])
def test_an_error_that_is_nested_too_deeply_is_read_as_text(
    read: Callable[[bytes, httpx.Headers], ErrorDetail],
) -> None:
    """Python's parser raises a RecursionError, which no caller of a client expects."""
    assert read(b"[" * 60_000, httpx.Headers()).message.startswith("[[[")
