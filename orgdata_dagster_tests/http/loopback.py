"""A real HTTP server on a free loopback port that gives prepared replies and records the requests.

Here: the server for the tests of `http/`. Add here when: a test needs another way for a server to misbehave.
Keep out: any vendor's behaviour (the sandbox has it).
"""

import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import BinaryIO


@dataclass
class ReceivedRequest:
    """A request that the server received."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Reply:
    """A prepared reply.

    length: the Content-Length to send; -1 for the true one, None for none, which closes the connection.
    write: sends the body in its own way, instead of `body`.
    head: sends more header lines in its own way.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = -1
    write: Callable[[BinaryIO], None] | None = None
    head: Callable[[BinaryIO], None] | None = None


class Loopback:
    """A server whose requests take the `replies` in turn. The last reply is repeated."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.replies: list[Reply] = [Reply()]
        self.requests: list[ReceivedRequest] = []
        self.connections = 0

    def answer(self, *replies: Reply) -> None:
        self.replies = list(replies)

    def next_reply(self) -> Reply:
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else every answer is 40 ms late
    loopback: Loopback

    def setup(self) -> None:
        self.loopback.connections += 1
        super().setup()

    def handle_any(self) -> None:
        length = int(self.headers.get("content-length", 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(length)
        self.loopback.requests.append(ReceivedRequest(self.command, self.path, headers, body))
        reply = self.loopback.next_reply()
        with suppress(ConnectionError):
            self._send(reply)

    def _send(self, reply: Reply) -> None:
        self.send_response_only(reply.status)
        length = len(reply.body) if reply.length == -1 else reply.length
        headers = {"Content-Length": str(length)} if length is not None else {"Connection": "close"}
        for name, value in {**headers, **reply.headers}.items():
            self.send_header(name, value)
        if reply.head is not None:
            self.flush_headers()
            reply.head(self.wfile)
        self.end_headers()
        if reply.write is not None:
            reply.write(self.wfile)
        else:
            self.wfile.write(reply.body)
        if length is None or (reply.write is None and length != len(reply.body)):
            self.close_connection = True

    do_GET = do_POST = do_HEAD = handle_any

    def log_message(self, *args: object) -> None:
        """Stay silent."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Stay silent when a client hangs up; complain about all else."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


@contextmanager
def loopback() -> Iterator[Loopback]:

    class Handler(_Handler):
        loopback: Loopback

    server = _Server(("127.0.0.1", 0), Handler)
    Handler.loopback = Loopback(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield Handler.loopback
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
