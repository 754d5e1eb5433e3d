"""The API requests of a run, until the ledger records them.

Here: `RequestLog`, an observer for a vendor's client.
Keep out: the record of a call (http/records.py), storing it (warehouse/ledger/requests.py).
"""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from operator import itemgetter

from orgdata_dagster.http.records import RequestRecord
from orgdata_dagster.warehouse.ledger.requests import ApiRequest


class Waits:
    """The union of time intervals, added in any order; `seconds` is its length."""

    def __init__(self) -> None:
        self._parts: list[tuple[float, float]] = []  # disjoint, in order
        self.seconds = 0.0

    def add(self, start: float, end: float) -> None:
        """Add an interval. Only the part that no other interval covers is counted."""
        if end <= start:
            return
        first = bisect_left(self._parts, start, key=itemgetter(1))  # the first part that does not end before this one
        last = bisect_right(self._parts, end, key=itemgetter(0))
        for part in self._parts[first:last]:
            self.seconds -= part[1] - part[0]
            start, end = min(start, part[0]), max(end, part[1])
        self._parts[first:last] = [(start, end)]
        self.seconds += end - start


class RequestLog:
    """Collects calls from any thread until a commit records them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: list[ApiRequest] = []
        self.count = 0
        self._waits = Waits()

    @property
    def waited(self) -> float:
        """Seconds in which at least one thread waited for the rate limit."""
        with self._lock:
            return self._waits.seconds

    def __call__(self, record: RequestRecord) -> None:
        """Add a record; the client calls this once per request."""
        call = ApiRequest(
            vendor=record.vendor,
            endpoint=record.endpoint,
            method=record.method,
            at=record.at,
            status=record.status,
            attempt=record.attempt,
            cost=record.cost,
            waited=record.waited,
            seconds=record.seconds,
            bytes=record.bytes,
            request_id=record.request_id,
            error=record.error,
        )
        with self._lock:
            self._calls.append(call)
            self.count += 1
            self._waits.add(record.at.timestamp() - record.waited, record.at.timestamp())

    def take(self) -> list[ApiRequest]:
        """Return and forget the requests since the last call."""
        with self._lock:
            calls, self._calls = self._calls, []
        return calls

    def give_back(self, calls: Sequence[ApiRequest]) -> None:
        """Put requests back that were taken for a commit that failed."""
        with self._lock:
            self._calls = [*calls, *self._calls]
