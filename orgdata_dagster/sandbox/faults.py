"""Faults on request: what networks, proxies and overloaded vendors do to an answer.

Here: one class a fault, played instead of (or upon) the vendor's own answer; the queue of a vendor's faults.
Add here when: a fault was met in the wild that none of these plays.
Keep out: faults in the data (a vendor's demo data has those) and limits broken by the client (`limits`).
"""

import asyncio
import json
import threading
from collections import deque
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse
from starlette.types import Message

from orgdata_dagster.sandbox.exchange import Exchange


class Fault(Protocol):
    """Plays itself on an exchange; `kind` is its name in JSON and in the log."""

    kind: ClassVar[str]

    async def play(self, exchange: Exchange) -> None: ...


@dataclass(frozen=True)
class Status:
    """Answers with this status code, and `Retry-After` (seconds or an HTTP date) where given."""

    status: int
    retry_after: float | str | None = None
    body: str = "simulated fault"
    kind: ClassVar[str] = "status"

    async def play(self, exchange: Exchange) -> None:
        headers = {} if self.retry_after is None else {"retry-after": str(self.retry_after)}
        await exchange.respond(PlainTextResponse(self.body, self.status, headers))


@dataclass(frozen=True)
class Html:
    """A proxy's maintenance page, with status 200."""

    body: str = "<!DOCTYPE html>\n<html><title>Down for maintenance</title><body>Back soon</body></html>"
    kind: ClassVar[str] = "html"

    async def play(self, exchange: Exchange) -> None:
        await exchange.respond(HTMLResponse(self.body))


@dataclass(frozen=True)
class ShortBody:
    """The true answer and Content-Length, but the connection closes after this part (0-1) of the body."""

    part: float = 0.5
    kind: ClassVar[str] = "short_body"

    async def play(self, exchange: Exchange) -> None:
        start, body = await exchange.true_answer()
        await exchange.send(start)
        # Returning with the body unfinished makes the server close the connection.
        await exchange.send_body(body[: min(int(len(body) * self.part), len(body) - 1)], more=True)


@dataclass(frozen=True)
class CutCsv:
    """A CSV that ends inside a quoted field, its Content-Length as sent: only a parser can tell.

    Of a CSV that is the one string of a JSON object, the object stays whole; any other JSON ends inside a string.
    """

    kind: ClassVar[str] = "cut_csv"

    async def play(self, exchange: Exchange) -> None:
        start, body = await exchange.true_answer()
        cut = _cut_in_envelope(body) or _cut_in_quotes(body)
        await exchange.send(_with_length(start, len(cut)))
        await exchange.send_body(cut)


@dataclass(frozen=True)
class Reset:
    """The connection is reset: before any answer, or after this part (0-1) of the body."""

    part: float | None = None
    kind: ClassVar[str] = "reset"

    async def play(self, exchange: Exchange) -> None:
        if self.part is not None:
            start, body = await exchange.true_answer()
            await exchange.send(start)
            await exchange.send_body(body[: int(len(body) * self.part)], more=True)
        await exchange.reset()


@dataclass(frozen=True)
class Slow:
    """The true answer, with a pause of `seconds` before it or after this part (0-1) of the body."""

    seconds: float
    part: float | None = None
    kind: ClassVar[str] = "slow"

    async def play(self, exchange: Exchange) -> None:
        start, body = await exchange.true_answer()
        sent = 0
        if self.part is not None:
            sent = int(len(body) * self.part)
            await exchange.send(start)
            await exchange.send_body(body[:sent], more=True)
        try:
            # A client that gives up ends the pause, so no request outlives its caller.
            await asyncio.wait_for(exchange.disconnected(), self.seconds)
        except TimeoutError:
            if self.part is None:
                await exchange.send(start)
            await exchange.send_body(body[sent:])


@dataclass(frozen=True)
class Redirect:
    """Sends the client to another URL, which may be on another host."""

    url: str
    status: int = 302
    kind: ClassVar[str] = "redirect"

    async def play(self, exchange: Exchange) -> None:
        await exchange.respond(RedirectResponse(self.url, self.status))


KINDS: dict[str, type[Any]] = {fault.kind: fault for fault in (Status, Html, ShortBody, CutCsv, Reset, Slow, Redirect)}


def from_json(options: dict[str, Any]) -> Fault:
    """The fault `{"kind": ..., <its fields>}` describes. Raises ValueError that says what is wrong."""
    kind = options.get("kind")
    if kind not in KINDS:
        raise ValueError(f"unknown kind {kind!r}; one of {', '.join(KINDS)}")
    try:
        fault: Fault = KINDS[kind](**{name: value for name, value in options.items() if name != "kind"})
    except TypeError as wrong:
        raise ValueError(str(wrong)) from None
    return fault


class FaultQueue:
    """The faults a vendor will play, one a request it lets in, in the order they were added. Thread-safe."""

    def __init__(self) -> None:
        self._queue: deque[Fault | None] = deque()
        self._lock = threading.Lock()

    def add(self, fault: Fault, times: int = 1, after: int = 0) -> None:
        """Play it on the next `times` requests, those that follow `after` requests without a fault."""
        with self._lock:
            self._queue.extend([None] * after + [fault] * times)

    def take(self) -> Fault | None:
        """The fault of the present request, if any."""
        with self._lock:
            return self._queue.popleft() if self._queue else None

    def clear(self) -> None:
        """Forget what is queued."""
        with self._lock:
            self._queue.clear()

    def __len__(self) -> int:
        with self._lock:
            return sum(fault is not None for fault in self._queue)


def _with_length(start: Message, length: int) -> Message:
    headers = [(name, value) for name, value in start["headers"] if name != b"content-length"]
    return {**start, "headers": [*headers, (b"content-length", str(length).encode())]}


def _cut_in_envelope(body: bytes) -> bytes | None:
    """`{"report": "<csv>"}` with its CSV cut, None for a body of another shape."""
    try:
        [(name, text)] = json.loads(body).items()
        return json.dumps({name: _cut_in_quotes(text.encode()).decode()}, ensure_ascii=False).encode()
    except (ValueError, AttributeError):
        return None


def _cut_in_quotes(body: bytes) -> bytes:
    """The body up to a place inside a quoted field past its middle; one is made if there is none."""
    quote = body.find(b'"', len(body) // 2)
    if quote < 0:
        quote = body.find(b'"')
    if quote < 0:
        return body[: body.rfind(b",") + 1] + b'"cut'
    inside = body.count(b'"', 0, quote + 1) % 2 == 1
    return body[: quote + 1] if inside else body[:quote]
