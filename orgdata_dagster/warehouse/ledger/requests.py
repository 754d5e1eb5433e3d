"""The ledger of requests to vendors.

Here: reading and writing `_orgdata.requests`. Add here: another query on requests.
Keep out: collecting requests during a run (orchestration/assets/request_log.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb

from orgdata_dagster.warehouse.ledger import schema

_RECENT = 1_000  # number of calls whose mean duration counts as the usual one


@dataclass(frozen=True, kw_only=True)
class ApiRequest:
    """One API call, without its query and without secrets.

    status: HTTP status; None if there was no answer.
    attempt: 1 for the first attempt.
    cost: points of the rate limit.
    waited: seconds spent waiting for the rate limit.
    seconds: duration of the call.
    bytes: size of the answer.
    error: the error message; None for a successful call.
    """

    vendor: str
    endpoint: str
    method: str
    at: datetime
    status: int | None
    attempt: int
    cost: float
    waited: float
    seconds: float
    bytes: int
    request_id: str | None
    error: str | None


def write_requests(connection: duckdb.DuckDBPyConnection, requests: Sequence[ApiRequest], run_id: str) -> None:
    """Record the requests of a run."""
    rows = [
        {
            "vendor": request.vendor,
            "endpoint": request.endpoint,
            "method": request.method,
            "sent_at": request.at,
            "status": request.status,
            "attempt": request.attempt,
            "cost": request.cost,
            "waited_seconds": request.waited,
            "seconds": request.seconds,
            "bytes": request.bytes,
            "request_id": request.request_id,
            "error": request.error,
            "run_id": run_id,
        }
        for request in requests
    ]
    schema.insert(connection, "requests", rows)


def usual_seconds(connection: duckdb.DuckDBPyConnection, vendor: str) -> float | None:
    """Mean duration in seconds of the vendor's last successful requests; None if there are none."""
    if not schema.exists(connection):
        return None
    row = connection.execute(
        "SELECT avg(seconds) FROM (SELECT seconds FROM _orgdata.requests WHERE vendor = ? AND error IS NULL "
        "ORDER BY sent_at DESC LIMIT ?)",
        [vendor, _RECENT],
    ).fetchone()
    return row[0] if row else None
