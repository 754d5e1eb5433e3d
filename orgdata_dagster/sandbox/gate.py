"""The entry of every vendor: it logs a request, checks credential and limits, plays a fault or lets the vendor answer.

Here: the handling of a request before and after its vendor, which is the same for all vendors.
Add here when: all vendors need something else for every request.
Keep out: the content of answers, and the limits of a vendor.
"""

import itertools
import math
import time
from email.utils import formatdate

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from orgdata_dagster.sandbox.exchange import Exchange
from orgdata_dagster.sandbox.log import Entry, SandboxLog
from orgdata_dagster.sandbox.vendor import Vendor


def count_rows(request: Request, rows: int) -> None:
    """Log how many rows the answer to this request has."""
    request.scope["sandbox.entry"].rows = rows


class Gate:
    """ASGI app before a vendor's routes."""

    def __init__(self, vendor: Vendor, log: SandboxLog) -> None:
        self._vendor = vendor
        self._log = log
        self._routes = Starlette(routes=vendor.routes())
        self._numbers = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        entry = scope["sandbox.entry"] = self._log.add(self._entry(request))

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                entry.status = message["status"]
                extra = {
                    "date": formatdate(time.time() + self._vendor.clock_ahead, usegmt=True),
                    "x-request-id": entry.request_id,
                    **self._vendor.answer_headers(entry.request_id),
                }
                message["headers"] = [*message["headers"], *((k.encode(), v.encode()) for k, v in extra.items())]
            elif not message.get("more_body"):
                entry.finished = time.monotonic()  # before the last byte, so that the client finds it in the log
            entry.bytes += len(message.get("body", b""))
            await send(message)

        try:
            await self._admit(request, entry, Exchange(self._routes, scope, receive, counted))
        except Exception as bug:
            entry.error = repr(bug)
            raise
        finally:
            entry.finished = entry.finished or time.monotonic()

    async def _admit(self, request: Request, entry: Entry, exchange: Exchange) -> None:
        vendor = self._vendor
        key = vendor.credential(request)
        if key is None or vendor.limiter.revoked(key):
            what = "revoked" if key else "missing or wrong"
            await exchange.respond(vendor.refuse_credential(request, f"the credentials are {what}"))
            return
        entry.cost = vendor.cost(request)
        refusal = vendor.limiter.enter(key, entry.cost)
        if refusal:
            headers = {}
            if refusal.retry_after < math.inf:
                headers["Retry-After"] = str(math.ceil(refusal.retry_after))
            await exchange.respond(vendor.refuse(429, refusal.reason, headers))
            return
        try:
            fault = vendor.faults.take()
            if fault is None:
                await exchange.pass_on()
            else:
                entry.fault = fault.kind
                await fault.play(exchange)
        finally:
            # before the event loop continues, so before the client can send its next request
            vendor.limiter.leave(key)

    def _entry(self, request: Request) -> Entry:
        secret = self._vendor.secret_params
        return Entry(
            request_id=f"{self._vendor.name}-{next(self._numbers)}",
            vendor=self._vendor.name,
            endpoint=request.url.path.removeprefix(request.scope.get("root_path", "")),
            method=request.method,
            query={name: "***" if name in secret else value for name, value in request.query_params.items()},
        )
