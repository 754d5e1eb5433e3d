"""The API calls of a run on their way into the ledger.

Here: `RequestLog`, an observer for a vendor's client.
Keep out: what a call is (http/records.py) and how it is stored (warehouse/ledger/store.py).
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

from orgdata_dagster.http.records import RequestRecord
from orgdata_dagster.warehouse.ledger.store import ApiRequest


class RequestLog:
    """Collects calls from any thread until a commit takes them along."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: list[ApiRequest] = []
        self.count = 0
        self.waited = 0.0

    def __call__(self, record: RequestRecord) -> None:
        """Take a record; the client calls this once for every request."""
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
            self.waited += record.waited

    def take(self) -> list[ApiRequest]:
        """The calls since the last time."""
        with self._lock:
            calls, self._calls = self._calls, []
        return calls

    def give_back(self, calls: Sequence[ApiRequest]) -> None:
        """Keep calls that were taken for a commit that failed for the next one."""
        with self._lock:
            self._calls = [*calls, *self._calls]
