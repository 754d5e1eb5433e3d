"""The transport with real sockets: unusual servers, broken answers, and which connections are kept."""

from __future__ import annotations

import base64
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress

import httpx
import pytest

from orgdata_dagster.http.connection import tls_context
from orgdata_dagster.http.transport import LeanTransport

FINE = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine"
Answer = bytes | Callable[[socket.socket], None]


class Wire:
    """A server that sends each answer as it is, byte by byte if `slowly`, and closes the connection after the last."""

    def __init__(self, answers: list[Answer]) -> None:
        self.answers = answers
        self.requests: list[bytes] = []
        self.connections = 0
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/x"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self._thread.join(5)

    def _serve(self) -> None:
        while True:
            try:
                taken, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            taken.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with taken, suppress(OSError):
                self._answer(taken)

    def _answer(self, taken: socket.socket) -> None:
        while self.answers and (text := _request(taken)):
            self.requests.append(text)
            answer = self.answers.pop(0)
            if callable(answer):
                answer(taken)
                return
            taken.sendall(answer)


def _request(taken: socket.socket) -> bytes:
    text = b""
    while b"\r\n\r\n" not in text:
        part = taken.recv(1000)
        if not part:
            return b""
        text += part
    return text


@contextmanager
def at(*answers: Answer, **options: float) -> Iterator[tuple[Wire, LeanTransport]]:
    server, transport = Wire([*answers]), LeanTransport(tls_context(False), **options)
    try:
        yield server, transport
    finally:
        transport.close()
        server.close()


@contextmanager
def behind_a_proxy(server: Wire, answer: bytes, login: str = "") -> Iterator[tuple[list[bytes], LeanTransport]]:
    """A proxy that answers each CONNECT like this and then passes everything on, and a transport that uses it."""
    asked, proxy = list[bytes](), socket.create_server(("127.0.0.1", 0))
    target = ("127.0.0.1", server.port)

    def pass_on(source: socket.socket, to: socket.socket) -> None:
        with suppress(OSError):
            while part := source.recv(1000):
                to.sendall(part)
            to.shutdown(socket.SHUT_WR)

    def serve() -> None:
        with suppress(OSError), proxy.accept()[0] as taken:
            asked.append(_request(taken))
            taken.sendall(answer)
            with socket.create_connection(target) as onward:
                threading.Thread(target=pass_on, args=(taken, onward), daemon=True).start()
                pass_on(onward, taken)

    threading.Thread(target=serve, daemon=True).start()
    transport = LeanTransport(tls_context(False), proxy=f"http://{login}127.0.0.1:{proxy.getsockname()[1]}")
    try:
        yield asked, transport
    finally:
        transport.close()
        proxy.close()


def ask(server: Wire, transport: LeanTransport, method: str = "GET", **options: object) -> httpx.Response:
    timeouts = {"timeout": {"connect": 2, "read": 2, "write": 2}}
    response = transport.handle_request(httpx.Request(method, server.url, extensions=timeouts, **options))  # type: ignore[arg-type]
    response.read()
    return response


def slowly(text: bytes) -> Callable[[socket.socket], None]:
    def write(taken: socket.socket) -> None:
        for at in range(len(text)):
            taken.sendall(text[at : at + 1])

    return write


GOOD = {
    "in one piece": FINE,
    "byte by byte": slowly(FINE),
    "chunks, byte by byte": slowly(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nfi\r\n2\r\nne\r\n0\r\n\r\n"
    ),
    "lines without a carriage return": b"HTTP/1.1 200 OK\nContent-Length: 4\n\nfine",
    "a header on two lines": b"HTTP/1.1 200 OK\r\nX-Long: a\r\n  b\r\nContent-Length: 4\r\n\r\nfine",
    "no reason": b"HTTP/1.1 200\r\nContent-Length: 4\r\n\r\nfine",
    "a hint before": b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + FINE,
    "a length twice": b"HTTP/1.1 200 OK\r\nContent-Length: 4, 4\r\nContent-Length: 4\r\n\r\nfine",
    "chunks with extensions and fields after them": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\nContent-Length: 99\r\n\r\n"
        b"4 ;name=value\r\nfine\r\n000\r\nX-Checksum: 7\r\n\r\n"
    ),
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\n\r\nfine",
}


def ended(answer: Answer) -> Answer:
    """The answer, after which the connection is closed."""
    return answer if callable(answer) else (lambda taken: taken.sendall(answer))


@pytest.mark.parametrize("answer", GOOD.values(), ids=GOOD)
def test_valid_answers(answer: Answer) -> None:
    with at(ended(answer)) as (server, transport):
        response = ask(server, transport)
        assert (response.status_code, response.content) == (200, b"fine")
        assert response.headers.get("x-long", "a b") == "a b"


@pytest.mark.parametrize(
    ("method", "status"), [("HEAD", b"200 OK"), ("GET", b"204 No Content"), ("GET", b"304 Not Modified")]
)
def test_a_response_without_a_body_is_not_waited_for(method: str, status: bytes) -> None:
    with at(b"HTTP/1.1 %s\r\nContent-Length: 4\r\n\r\n" % status, FINE) as (server, transport):
        assert ask(server, transport, method).content == b""
        assert ask(server, transport).content == b"fine"
        assert server.connections == 1


HEAD = b"HTTP/1.1 200 OK\r\n"
BROKEN = {
    "nothing": b"",
    "half a status line": b"HTTP/1.1 2",
    "half of the headers": HEAD + b"Content-",
    "another protocol": b"SSH-2.0-OpenSSH_9.2\r\n",
    "no status": b"HTTP/1.1 OK\r\n\r\n",
    "two lengths": HEAD + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nfine",
    "no length": HEAD + b"Content-Length: -4\r\n\r\nfine",
    "a length in words": HEAD + b"Content-Length: four\r\n\r\nfine",
    "a transfer encoding that is unknown": HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
    "two transfer encodings": HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "a header without a value": HEAD + b"Content-Length\r\n\r\n",
    "a space in a header's name": HEAD + b"Content-Length : 4\r\n\r\nfine",
    "a carriage return in a header": HEAD + b"X: a\rContent-Length: 0\r\nContent-Length: 4\r\n\r\nfine",
    "a zero byte in a header": HEAD + b"X: a\0b\r\nContent-Length: 4\r\n\r\nfine",
    "a continued line without a header": HEAD + b"  b\r\n\r\n",
    "headers without end": HEAD + b"X: " + b"x" * 200_000,
    "another protocol from now on": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
    "announcements without an answer": b"HTTP/1.1 100 Continue\r\n\r\n" * 50 + FINE,
    "less than its length": HEAD + b"Content-Length: 5\r\n\r\nfine",
    "a chunk cut short": HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nfine",
    "chunks without an end": HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n",
    "a chunk longer than its size": HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nfine\r\n0\r\n\r\n",
    "a chunk without a size": HEAD + b"Transfer-Encoding: chunked\r\n\r\n-4\r\nfine\r\n0\r\n\r\n",
    "long headers after the body": HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"X: y\r\n" * 40_000 + b"\r\n",
    "a chunk's size without end": HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"0" * 5000,
}


@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN)
def test_invalid_answers_are_refused(answer: bytes) -> None:
    with at(ended(answer), FINE) as (server, transport):
        with pytest.raises(httpx.RemoteProtocolError):
            ask(server, transport)
        assert ask(server, transport).content == b"fine"
        assert server.connections == 2  # the rest of a broken answer is not read as the next one


def test_a_connection_is_kept() -> None:
    with at(FINE, FINE, FINE) as (server, transport):
        assert [ask(server, transport).content for _ in range(3)] == [b"fine"] * 3
        assert server.connections == 1


NOT_KEPT = {
    "the server says so": HEAD + b"Connection: foo, Close\r\nContent-Length: 4\r\n\r\nfine",
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nfine",
    "something after the body": FINE + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
}


@pytest.mark.parametrize("answer", NOT_KEPT.values(), ids=NOT_KEPT)
def test_a_connection_is_not_kept(answer: bytes) -> None:
    with at(answer, FINE) as (server, transport):
        assert [ask(server, transport).content for _ in range(2)] == [b"fine"] * 2
        assert server.connections == 2


def test_a_connection_is_not_kept_if_its_body_was_not_read() -> None:
    with at(FINE, FINE) as (server, transport):
        transport.handle_request(httpx.Request("GET", server.url)).close()
        assert ask(server, transport).content == b"fine"
        assert server.connections == 2


def test_a_connection_that_the_server_has_closed_is_not_used() -> None:
    with at(ended(FINE), FINE) as (server, transport):
        ask(server, transport)
        while not transport._idle[0].wire.stream.get_extra_info("is_readable"):
            time.sleep(0.01)
        assert ask(server, transport).content == b"fine"


def test_a_connection_that_was_idle_for_too_long_is_not_used() -> None:
    with at(FINE, FINE, idle_seconds=0.1) as (server, transport):
        ask(server, transport)
        time.sleep(0.2)
        assert ask(server, transport).content == b"fine"
        assert server.connections == 2


@pytest.mark.parametrize("header", [("x", "a\r\nHost: evil"), ("x\r\nHost: evil", "a"), ("x y", "a"), ("x", "a\0")])
def test_a_request_with_an_injected_line_end_is_not_sent(header: tuple[str, str]) -> None:
    with at(FINE) as (server, transport):
        with pytest.raises(httpx.LocalProtocolError) as caught:
            ask(server, transport, headers=[header])
        assert "evil" not in str(caught.value)
        assert server.connections == 0


def test_a_refusal_of_a_large_body_is_read() -> None:
    def refuse(taken: socket.socket) -> None:
        taken.sendall(b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 5\r\n\r\nlarge")
        taken.shutdown(socket.SHUT_WR)
        while taken.recv(1 << 20):  # else the kernel resets the connection, and the answer is lost
            pass

    with at(refuse) as (server, transport):
        server.requests.clear()
        response = ask(server, transport, "POST", content=b"\r\n\r\n".rjust(20_000_000, b"x"))
        assert (response.status_code, response.content) == (413, b"large")


def test_a_server_that_does_not_answer_in_time() -> None:
    with at(lambda _: time.sleep(0.3)) as (server, transport):
        request = httpx.Request("GET", server.url, extensions={"timeout": {"read": 0.1}})
        with pytest.raises(httpx.ReadTimeout):
            transport.handle_request(request)


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"])
def test_no_part_of_an_answer_that_drips_takes_longer_than_what_is_left(head: bytes) -> None:
    """`read` limits each wait, so that such an answer was once waited for as long as it dripped."""

    def drip(taken: socket.socket) -> None:
        for byte in (head or FINE * 100).ljust(10_000, b"x"):
            taken.sendall(bytes([byte]))
            time.sleep(0.02)

    with at(drip) as (server, transport):
        end = time.monotonic() + 0.3
        extensions = {"timeout": {"read": 60.0}, "left": lambda: end - time.monotonic()}
        with pytest.raises(httpx.ReadTimeout):
            transport.handle_request(httpx.Request("GET", server.url, extensions=extensions)).read()


def test_a_silent_answer_takes_no_longer_than_what_is_left() -> None:
    with at(lambda _: time.sleep(20)) as (server, transport):
        began = time.monotonic()
        extensions = {"timeout": {"read": 60.0}, "left": lambda: 0.2}
        with pytest.raises(httpx.ReadTimeout):
            transport.handle_request(httpx.Request("GET", server.url, extensions=extensions))
        assert time.monotonic() - began < 10


# --- proxies ----------------------------------------------------------------------------------------------------------


def test_requests_through_a_proxy() -> None:
    with (
        at(FINE, FINE) as (server, _),
        behind_a_proxy(server, b"HTTP/1.1 200 Connection established\r\n\r\n", "us%40er:p%3Aw%2541@") as (
            asked,
            transport,
        ),
    ):
        assert [ask(server, transport).content for _ in range(2)] == [b"fine", b"fine"]
        assert (server.connections, len(server.requests)) == (1, 2)
    [connect] = asked
    address = b"127.0.0.1:%d" % server.port
    assert connect.startswith(b"CONNECT %s HTTP/1.1\r\nHost: %s\r\n" % (address, address))
    assert b"Proxy-Authorization: Basic " + base64.b64encode(b"us@er:p:w%41") in connect
    assert b"Proxy-Authorization" not in b"".join(server.requests)


@pytest.mark.parametrize("answer", [b"", b"\x15\x03\x03\x00\x02\x02\x28"])
def test_a_proxy_that_does_not_speak_http(answer: bytes) -> None:
    """The error once said that the vendor's server does not speak HTTP."""
    proxy = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with proxy.accept()[0] as taken:
            _request(taken)
            taken.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    transport = LeanTransport(tls_context(False), proxy=f"http://127.0.0.1:{proxy.getsockname()[1]}")
    with closing(proxy), closing(transport), pytest.raises(httpx.ProxyError):
        transport.handle_request(httpx.Request("GET", "http://vendor.example"))


def test_a_proxy_that_refuses() -> None:
    refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    with (
        at(FINE) as (server, _),
        behind_a_proxy(server, refusal) as (_, transport),
        pytest.raises(httpx.ProxyError, match=r"^407 Proxy Authentication Required$"),
    ):
        ask(server, transport)
