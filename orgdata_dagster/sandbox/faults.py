"""Faults on request: what networks, proxies and overloaded vendors do to an answer.

Here: one class per fault, which replaces or changes the vendor's answer; the queue of a vendor's faults.
Add here when: a fault was observed that none of these simulates.
Keep out: how a body is changed (`spoiling`), permanent behaviour of a vendor (its own class, `Vendor.clock_ahead`),
limits that the client breaks (`limits`).
"""

import asyncio
import json
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol

from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import Message

from orgdata_dagster.sandbox import spoiling
from orgdata_dagster.sandbox.exchange import Exchange


class Fault(Protocol):
    """A fault. `play` answers one request with it; `kind` is its name in JSON and in the log."""

    kind: ClassVar[str]

    async def play(self, exchange: Exchange) -> None: ...


@dataclass(frozen=True)
class Status:
    """Answers with this status code, and with `Retry-After` (seconds or an HTTP date) if it is given."""

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
    """The true answer and Content-Length, but the connection is closed after this part (0-1) of the body."""

    part: float = 0.5
    kind: ClassVar[str] = "short_body"

    async def play(self, exchange: Exchange) -> None:
        start, body = await exchange.true_answer()
        await exchange.send(start)
        # Returning with the body unfinished makes the server close the connection.
        await exchange.send_body(body[: min(int(len(body) * self.part), len(body) - 1)], more=True)


@dataclass(frozen=True)
class CutCsv:
    """A CSV that ends inside a quoted field, with a matching Content-Length: only a parser can notice it.

    If the CSV is the only string of a JSON object, the object stays complete. Other JSON ends inside a string.
    """

    kind: ClassVar[str] = "cut_csv"

    async def play(self, exchange: Exchange) -> None:
        start, body = await exchange.true_answer()
        await _answer(exchange, start, spoiling.cut(body))


@dataclass(frozen=True)
class Reset:
    """The connection is reset, before any answer or after this part (0-1) of the body."""

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
            # a client that gives up ends the pause, so that no request outlives its caller
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


@dataclass(frozen=True)
class Empty:
    """Status 200 without rows.

    form: `bytes`: a body of zero bytes; `rows`: the true answer without its rows (only a CSV's header, `[]`, an
        envelope with an empty array); `totals`: the same, with every total set to 0.
    """

    form: Literal["bytes", "rows", "totals"] = "bytes"
    kind: ClassVar[str] = "empty"

    async def play(self, exchange: Exchange) -> None:
        start, body = await exchange.true_answer()
        await _answer(exchange, start, b"" if self.form == "bytes" else spoiling.emptied(body, self.form == "totals"))


@dataclass(frozen=True)
class ErrorBody:
    """An error with status 200: `body` as JSON, or unchanged if it is a text."""

    body: Any = field(default_factory=lambda: {"error": {"code": 17, "message": "quota"}})
    kind: ClassVar[str] = "error_200"

    async def play(self, exchange: Exchange) -> None:
        text = self.body if isinstance(self.body, str) else json.dumps(self.body)
        kind = "text/plain" if isinstance(self.body, str) else "application/json"
        await exchange.respond(Response(text, media_type=kind))


@dataclass(frozen=True)
class BadCharacter:
    """The true answer with one bad character at the end of a text in its first row.

    what: `surrogate` (JSON: half of a surrogate pair as an escape; CSV: its three bytes), `nul` (`\\u0000`, a zero
        byte), `utf8` (a byte that is invalid in UTF-8), `bom` (a byte-order mark before the body).
    """

    what: Literal["surrogate", "nul", "utf8", "bom"] = "surrogate"
    kind: ClassVar[str] = "bad_character"

    async def play(self, exchange: Exchange) -> None:
        start, body = await exchange.true_answer()
        await _answer(exchange, start, spoiling.with_bad_character(body, self.what))


KINDS: dict[str, type[Any]] = {
    fault.kind: fault
    for fault in (Status, Html, ShortBody, CutCsv, Reset, Slow, Redirect, Empty, ErrorBody, BadCharacter)
}


def from_json(options: dict[str, Any]) -> Fault:
    """Make the fault that `{"kind": ..., <its fields>}` describes. Raises ValueError with the problem."""
    kind = options.get("kind")
    if kind not in KINDS:
        raise ValueError(f"unknown kind {kind!r}; one of {', '.join(KINDS)}")
    try:
        fault: Fault = KINDS[kind](**{name: value for name, value in options.items() if name != "kind"})
    except TypeError as wrong:
        raise ValueError(str(wrong)) from None
    return fault


class FaultQueue:
    """The faults of a vendor's next accepted requests, in the order in which they were added. Thread-safe."""

    def __init__(self) -> None:
        self._queue: deque[Fault | None] = deque()
        self._lock = threading.Lock()

    def add(self, fault: Fault, times: int = 1, after: int = 0) -> None:
        """Play the fault on `times` requests, after `after` requests without a fault."""
        with self._lock:
            self._queue.extend([None] * after + [fault] * times)

    def take(self) -> Fault | None:
        """Remove and return the fault of the current request, if it has one."""
        with self._lock:
            return self._queue.popleft() if self._queue else None

    def clear(self) -> None:
        """Remove all queued faults."""
        with self._lock:
            self._queue.clear()

    def __len__(self) -> int:
        with self._lock:
            return sum(fault is not None for fault in self._queue)


async def _answer(exchange: Exchange, start: Message, body: bytes) -> None:
    await exchange.send(_with_length(start, len(body)))
    await exchange.send_body(body)


def _with_length(start: Message, length: int) -> Message:
    headers = [(name, value) for name, value in start["headers"] if name != b"content-length"]
    return {**start, "headers": [*headers, (b"content-length", str(length).encode())]}
