"""A client for a loopback server, with a clock that does not wait and a rate limit that only counts.

Here: what the tests of the client share. Add here when: two of them need it.
Keep out: the server itself (loopback.py), the real rate limit.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orgdata_dagster.http.client import HttpClient
from orgdata_dagster.http.records import Download, RequestRecord
from orgdata_dagster_tests.http.fakes import FakeClock
from orgdata_dagster_tests.http.loopback import Loopback


@dataclass
class FakePermit:
    """`again`: seconds to wait once more before the request is sent."""

    waited: float
    clock: FakeClock
    again: float = 0.0
    sends: int = 0
    departures: int = 0
    answers: int = 0

    def sent(self) -> None:
        self.sends += 1
        if self.again:
            self.clock.sleep(self.again)
            self.waited += self.again

    def left(self) -> None:
        self.departures += 1

    def answered(self) -> None:
        self.answers += 1


@dataclass
class FakeRateLimit:
    """Counts; every payment takes `wait` seconds of the clock, and `wait_again` more when the request is sent."""

    clock: FakeClock
    wait: float = 0.0
    wait_again: float = 0.0
    paid: list[float] = field(default_factory=list)
    permits: list[FakePermit] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    in_flight: int = 0
    refused: float | None = None

    @contextmanager
    def spend(self, cost: float = 1) -> Iterator[FakePermit]:
        self.clock.sleep(self.wait)
        self.paid.append(cost)
        self.permits.append(FakePermit(self.wait, self.clock, self.wait_again))
        self.in_flight += 1
        try:
            yield self.permits[-1]
        finally:
            self.in_flight -= 1

    def pause(self, seconds: float, requested: float | None = None) -> bool:
        self.pauses.append(seconds)
        self.refused = requested
        return False

    def failed(self) -> int:
        return 1

    def succeeded(self) -> None:
        pass


class Rig:
    def __init__(self, server: Loopback, folder: Path, stack: ExitStack) -> None:
        self.server = server
        self.into = folder / "page"
        self.clock = FakeClock()
        self.rate_limit = FakeRateLimit(self.clock)
        self.records: list[RequestRecord] = []
        self._stack = stack

    def client(self, path: str = "", **options: Any) -> HttpClient:
        defaults = {"rate_limit": self.rate_limit, "clock": self.clock, "observer": self.records.append}
        client = HttpClient("acme", self.server.url + path, **{**defaults, **options})
        return self._stack.enter_context(client)

    def fetch(self, client: HttpClient, endpoint: str = "/x", **options: Any) -> bytes:
        return client.fetch(endpoint, into=self.into, **{"read": content, **options})

    def left_over(self) -> list[str]:
        return [file.name for file in self.into.parent.iterdir()]


def content(download: Download) -> bytes:
    data = download.path.read_bytes()
    assert download.bytes == len(data)
    return data
