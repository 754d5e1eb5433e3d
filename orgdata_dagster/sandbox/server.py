"""The sandbox as a server: in a thread for tests, in the foreground for the command line.

Here: one app made of vendors, log and control endpoints, and running it on a port.
Add here when: a vendor is added (one line in `default_vendors`, and a property of `Sandbox` if many tests use it).
Keep out: the endpoints themselves (`control`, the vendors' packages).
"""

import asyncio
import contextlib
import gc
import socket
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self, TypeVar

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from orgdata_dagster.sandbox import (
    accutics,
    channel_reports,
    control,
    institution_analytics,
    octolis,
    together,
    tracker,
)
from orgdata_dagster.sandbox.accutics import Accutics
from orgdata_dagster.sandbox.channel_reports import ChannelReports
from orgdata_dagster.sandbox.gate import Gate
from orgdata_dagster.sandbox.institution_analytics import InstitutionAnalytics
from orgdata_dagster.sandbox.limits import faster
from orgdata_dagster.sandbox.log import SandboxLog
from orgdata_dagster.sandbox.octolis import Octolis
from orgdata_dagster.sandbox.together import Together
from orgdata_dagster.sandbox.vendor import Vendor

V = TypeVar("V", bound=Vendor)
MINUTE = 60.0


def default_vendors(*, pace: float | None = None) -> list[Vendor]:
    """Every vendor with its demo data, relative to now, and its default limits.

    pace: seconds that together requires between two requests, instead of its minute. Undocumented limits of other
        vendors rise by the same factor.
    """
    pace = MINUTE if pace is None else pace
    speed = MINUTE / pace
    return [
        together.demo(limits=together.document_limits(pace)),
        institution_analytics.demo(limits=faster(institution_analytics.POLITE, speed)),
        channel_reports.demo(limits=faster(channel_reports.POLITE, speed)),
        accutics.demo(limits=faster(accutics.POLITE, speed)),
        octolis.demo(),
        tracker.demo(),
    ]


def create_app(vendors: Sequence[Vendor], log: SandboxLog) -> Starlette:
    """The ASGI app: each vendor under its name, the control endpoints under `/_sandbox`."""
    by_name = {vendor.name: vendor for vendor in vendors}
    return Starlette(
        routes=[
            Mount("/_sandbox", routes=control.routes(by_name, log)),
            *(Mount(f"/{name}", app=Gate(vendor, log)) for name, vendor in by_name.items()),
        ]
    )


class Sandbox:
    """A running sandbox, for tests: `with Sandbox(InstitutionAnalytics(...)) as sandbox: ... sandbox.url`.

    Without arguments it has all vendors with their demo data. Port 0 means any free port.
    """

    def __init__(self, *vendors: Vendor, port: int = 0) -> None:
        self.vendors = list(vendors) or default_vendors()
        self.log = SandboxLog()
        self._port = port

    @property
    def institution_analytics(self) -> InstitutionAnalytics:
        """The vendor's state: its data sets, limits, faults."""
        return self.vendor(InstitutionAnalytics)

    @property
    def together(self) -> Together:
        """The vendor's state: its reports, limits, faults."""
        return self.vendor(Together)

    @property
    def channel_reports(self) -> ChannelReports:
        """The vendor's state: its channels with their events, limits, faults."""
        return self.vendor(ChannelReports)

    @property
    def accutics(self) -> Accutics:
        """The vendor's state: its entities, limits, faults."""
        return self.vendor(Accutics)

    @property
    def octolis(self) -> Octolis:
        """The vendor's state: its datasets, webhooks, limits, faults."""
        return self.vendor(Octolis)

    def vendor(self, kind: type[V]) -> V:
        """The vendor of this class. Raises LookupError if the sandbox was started without it."""
        for vendor in self.vendors:
            if isinstance(vendor, kind):
                return vendor
        raise LookupError(f"this sandbox runs without {kind.__name__}")

    def __enter__(self) -> Self:
        listening = _listen("127.0.0.1", self._port)
        self.url = _url(listening)
        self._server = _server(create_app(self.vendors, self.log))
        self._thread = threading.Thread(target=self._server.run, args=([listening],), name="sandbox", daemon=True)
        self._thread.start()
        while not self._server.started and self._thread.is_alive():
            time.sleep(0.002)
        if not self._server.started:
            raise RuntimeError("the sandbox did not start")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join()


def keep_steady() -> None:
    """Disable full garbage collections in this process.

    With 100,000 records in memory, one takes 0.15 s. Requests pile up meanwhile, and the limits would judge them by the
    time at which they are read, not by the time at which they arrived.
    """
    gc.set_threshold(gc.get_threshold()[0], gc.get_threshold()[1], 1_000_000)


def serve(
    host: str = "127.0.0.1",
    port: int = 0,
    vendors: Sequence[Vendor] | None = None,
    announce: Callable[[str], None] | None = None,
) -> None:
    """Run in the foreground until SIGINT or SIGTERM.

    announce: is called with the URL when requests are accepted.

    Raises OSError if the address is not available.
    """
    keep_steady()
    listening = _listen(host, port)
    if announce:
        announce(_url(listening))  # the socket listens already, so a request made now is served
    with contextlib.suppress(KeyboardInterrupt):
        _server(create_app(vendors or default_vendors(), SandboxLog())).run([listening])


class _Protocol(H11Protocol):
    """HTTP/1.1 that passes each request its connection, so that a fault can reset it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        app = self.app

        async def with_transport(scope: Scope, receive: Receive, send: Send) -> None:
            scope["sandbox.transport"] = transport
            await app(scope, receive, send)

        self.app = with_transport


def _server(app: Starlette) -> uvicorn.Server:
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=_Protocol,
            ws="none",
            lifespan="off",
            loop="asyncio",
            proxy_headers=False,
            log_config=None,
            log_level="critical",
            access_log=False,
            date_header=False,  # the gate sends each vendor's own time
            # longer than clients idle between pages, so that connections are closed only by a fault
            timeout_keep_alive=75,
            timeout_graceful_shutdown=1,
        )
    )


def _listen(host: str, port: int) -> socket.socket:
    # the protocol is named because asyncio otherwise leaves Nagle's algorithm on, which sometimes costs 40 ms
    listening = socket.socket(proto=socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(128)
    except OSError:
        listening.close()
        raise
    return listening


def _url(listening: socket.socket) -> str:
    host, port = listening.getsockname()
    return f"http://{host}:{port}"
