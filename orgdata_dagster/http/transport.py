"""A transport for httpx that sends HTTP/1.1 over persistent connections, in a fifth of the CPU time of httpx's own.

Here: `LeanTransport`: connecting, also through a proxy, TLS, keeping connections, and converting errors to httpx's.
Add here when: the connections to all vendors need something new.
Keep out: the format (http11.py), which proxy is used (connection.py).

httpx's own transport takes 0.7 ms per small request, more than the rest of a fetch. It has a parser in pure Python, a
pool that searches all requests and connections several times, and a trace of every step. This transport only calls
`trace` for the steps that the client needs, with the same names.
"""

from __future__ import annotations

import base64
import math
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import httpcore
import httpx

from orgdata_dagster.http.http11 import Head, Wire, parts, read_head, request_bytes

_PORTS = {"http": 80, "https": 443}
_IDLE_SECONDS = 5.0  # a request fails if the server closes the idle connection at the same moment
_MOST_IDLE = 20
_PIECE = 256 * 1024  # bytes of a request between two looks at the time that is left
_LEAST = 0.001  # seconds; a timeout of 0 would mean a socket that never waits

Origin = tuple[str, str, int]
Trace = Callable[[str, Mapping[str, Any]], None]


class LeanTransport(httpx.BaseTransport):
    """Sends each request over an idle connection, or over a new one if none is idle. Thread-safe.

    A request may have two extensions besides those of httpx: `left`, a function that returns how many seconds are left
    for the exchange, and `trace`.

    tls: the TLS settings for `https`.
    proxy: an HTTP proxy, through which all requests go; None for none.
    idle_seconds: how long an idle connection may be used again.
    """

    def __init__(self, tls: ssl.SSLContext, *, proxy: str | None = None, idle_seconds: float = _IDLE_SECONDS) -> None:
        self._tls = tls
        self._proxy = httpx.URL(proxy) if proxy else None
        self._idle_seconds = idle_seconds
        self._network = httpcore.SyncBackend()
        self._lock = threading.Lock()
        self._idle: list[_Connection] = []  # the one used last is at the end
        self._closed = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and read the head of its response; see httpx.BaseTransport."""
        limits = _Limits(request.extensions.get("timeout", {}), request.extensions.get("left", _endless))
        trace = request.extensions.get("trace", _untraced)
        with _errors_of_httpx():
            text = request_bytes(request)
            connection = self._free(_origin(request.url)) or self._connected(_origin(request.url), limits, trace)
            try:
                head = connection.exchange(text, request.method, limits, trace)
            except BaseException:
                connection.close()
                raise
        return httpx.Response(
            head.status,
            headers=head.fields,
            stream=_Body(self, connection, head),
            extensions={"http_version": head.version, "reason_phrase": head.reason},
        )

    def close(self) -> None:
        """Close idle connections now, and connections in use after their response."""
        with self._lock:
            self._closed = True
            ended, self._idle = self._idle, []
        for connection in ended:
            connection.close()

    def keep(self, connection: _Connection) -> None:
        """Keep a connection for later requests. Its response must be complete."""
        connection.idle_since = now = time.monotonic()
        with self._lock:
            kept = [] if self._closed else [*self._idle, connection][-_MOST_IDLE:]
            kept = [one for one in kept if now - one.idle_since <= self._idle_seconds]
            ended = {*self._idle, connection} - {*kept}
            self._idle = kept
        for each in ended:
            each.close()

    def _free(self, origin: Origin) -> _Connection | None:
        while True:
            with self._lock:
                found = next((one for one in reversed(self._idle) if one.origin == origin), None)
                if found is None:
                    return None
                self._idle.remove(found)
            if found.usable(self._idle_seconds):
                return found
            found.close()

    def _connected(self, origin: Origin, limits: _Limits, trace: Trace) -> _Connection:
        stream = self._stream(_origin(self._proxy) if self._proxy else origin, limits, trace)
        if self._proxy:
            try:
                _open_tunnel(stream, self._proxy, origin, limits)
                stream = self._secured(stream, origin, limits, trace)
            except BaseException:
                stream.close()
                raise
        return _Connection(origin, stream)

    def _stream(self, origin: Origin, limits: _Limits, trace: Trace) -> httpcore.NetworkStream:
        _, host, port = origin
        stream = self._network.connect_tcp(host, port, timeout=limits.of("connect"))
        trace("connect_tcp.complete", {"return_value": stream})
        return self._secured(stream, origin, limits, trace)

    def _secured(
        self, stream: httpcore.NetworkStream, origin: Origin, limits: _Limits, trace: Trace
    ) -> httpcore.NetworkStream:
        scheme, host, _ = origin
        if scheme == "https":
            stream = stream.start_tls(self._tls, server_hostname=host, timeout=limits.of("connect"))
            trace("start_tls.complete", {"return_value": stream})
        return stream


@dataclass(frozen=True)
class _Limits:
    """The limits of an exchange in seconds: for its steps (httpx's extension `timeout`), and what is left for it."""

    steps: Mapping[str, float | None]
    left: Callable[[], float]

    def of(self, step: str) -> float | None:
        """The limit of a step that begins now; None for none."""
        given = self.steps.get(step)
        seconds = min(math.inf if given is None else given, max(self.left(), _LEAST))
        return None if seconds == math.inf else seconds

    def apply(self, wire: Wire) -> None:
        """Apply the limits to what is read from now on."""
        given = self.steps.get("read")
        wire.timeout, wire.left = math.inf if given is None else given, self.left


class _Connection:
    """A connection to an origin, used by one request at a time."""

    def __init__(self, origin: Origin, stream: httpcore.NetworkStream) -> None:
        self.origin = origin
        self.wire = Wire(stream)
        self.idle_since = 0.0
        self.close = stream.close

    def usable(self, idle_seconds: float) -> bool:
        """Whether an idle connection can be used again. If it is readable, the server has closed it."""
        fresh = time.monotonic() - self.idle_since <= idle_seconds
        return fresh and not self.wire.stream.get_extra_info("is_readable")

    def exchange(self, text: bytes, method: str, limits: _Limits, trace: Trace) -> Head:
        """Send a request and read the head of its response."""
        trace("send_request_headers.started", {})
        # A server may answer and close the connection before it has read everything. Its answer can still be read.
        with suppress(httpcore.WriteError):
            for start in range(0, len(text), _PIECE):
                # a view, because a slice of bytes would be copied again at each send
                piece = memoryview(text)[start : start + _PIECE]
                self.wire.stream.write(piece, limits.of("write"))  # type: ignore[arg-type]
            trace("send_request_body.complete", {})
        limits.apply(self.wire)
        head = read_head(self.wire, method)
        trace("receive_response_headers.complete", {})
        return head


class _Body(httpx.SyncByteStream):
    """The body of a response. Closing it makes the connection available for the next request."""

    def __init__(self, transport: LeanTransport, connection: _Connection, head: Head) -> None:
        self._transport = transport
        self._connection: _Connection | None = connection
        self._head = head
        self._complete = False

    def __iter__(self) -> Iterator[bytes]:
        assert self._connection is not None
        with _errors_of_httpx():
            yield from parts(self._connection.wire, self._head)
        self._complete = True

    def close(self) -> None:
        """Keep the connection, or close it if it cannot be used again."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if self._complete and self._head.keeps and not connection.wire.buffer:
            self._transport.keep(connection)
        else:
            connection.close()


def _open_tunnel(stream: httpcore.NetworkStream, proxy: httpx.URL, origin: Origin, limits: _Limits) -> None:
    """Ask the proxy for a connection to the origin. Raises httpx.ProxyError if it refuses."""
    _, host, port = origin
    address = (f"[{host}]:{port}" if ":" in host else f"{host}:{port}").encode("ascii")
    fields = [b"Host: " + address]
    if proxy.username or proxy.password:
        login = base64.b64encode(f"{proxy.username}:{proxy.password}".encode())
        fields.append(b"Proxy-Authorization: Basic " + login)
    stream.write(b"CONNECT %s HTTP/1.1\r\n%s\r\n\r\n" % (address, b"\r\n".join(fields)), limits.of("write"))
    limits.apply(wire := Wire(stream))
    try:
        head = read_head(wire, "CONNECT")
    except httpx.RemoteProtocolError as error:  # by itself, it would be about the vendor
        raise httpx.ProxyError(str(error)) from error
    if not 200 <= head.status < 300:
        raise httpx.ProxyError(f"{head.status} {head.reason.decode('ascii', 'replace')}".strip())


def _origin(url: httpx.URL) -> Origin:
    if url.scheme not in _PORTS:
        raise httpx.UnsupportedProtocol("only http and https are supported")
    return url.scheme, url.raw_host.decode("ascii"), url.port or _PORTS[url.scheme]


def _endless() -> float:
    return math.inf


def _untraced(_event: str, _info: Mapping[str, Any]) -> None:
    """Ignore a step: the request has no trace."""


@contextmanager
def _errors_of_httpx() -> Iterator[None]:
    """Raise httpcore's network errors as httpx's errors with the same name."""
    try:
        yield
    except (httpcore.NetworkError, httpcore.TimeoutException) as error:
        kind: type[httpx.TransportError] = getattr(httpx, type(error).__name__)
        raise kind(str(error)) from error
