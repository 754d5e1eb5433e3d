"""Rows, requests and waits per day.

Here: queries for plots and for the overview. Keep out: drawing, and single loads (loads.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import duckdb

from orgdata_dagster.warehouse.ledger import schema
from orgdata_dagster.warehouse.names import TableName

_ROWS = """
SELECT coalesce(partition_key, strftime(loaded_at, '%Y-%m-%d')) AS day, arg_max(row_count, loaded_at)
FROM _orgdata.loads WHERE schema_name = ? AND table_name = ? AND status = 'landed'
GROUP BY ALL ORDER BY day DESC LIMIT ?
"""
_WORK = """
SELECT strftime(loaded_at, '%Y-%m-%d') AS day, sum(requests), sum(waited_seconds)
FROM _orgdata.loads WHERE schema_name = ? AND table_name = ? GROUP BY ALL ORDER BY day DESC LIMIT ?
"""
# Waits of several threads overlap. Only the part of a wait that no earlier wait covers is counted.
_USE = """
WITH sent AS (
    SELECT vendor, strftime(sent_at, '%Y-%m-%d') AS day, cost, error, epoch(sent_at) AS until,
        epoch(sent_at) - waited_seconds AS since
    FROM _orgdata.requests WHERE sent_at >= ?),
waits AS (
    SELECT *, max(until) OVER (PARTITION BY vendor, day ORDER BY since, until
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS covered
    FROM sent)
SELECT vendor, day, count(*), sum(cost), count(error),
    sum(greatest(0, until - greatest(since, coalesce(covered, since))))
FROM waits GROUP BY ALL ORDER BY ALL
"""


@dataclass(frozen=True)
class VendorDay:
    """The requests that were sent to a vendor on one day (UTC).

    points: points of the rate limit that were spent.
    failed: number of requests without a usable answer.
    waited: seconds in which at least one thread waited for the rate limit.
    """

    vendor: str
    day: str
    requests: int
    points: float
    failed: int
    waited: float


def rows_by_day(connection: duckdb.DuckDBPyConnection, table: TableName, most: int) -> dict[str, int]:
    """Partition -> number of its rows, in order, for the last `most` partitions.

    For a table without partitions: day of a pull -> number of the table's rows.
    """
    found = connection.execute(_ROWS, [table.schema, table.name, most]).fetchall()
    return {day: int(rows) for day, rows in reversed(found)}


def work_by_day(connection: duckdb.DuckDBPyConnection, table: TableName, most: int) -> dict[str, tuple[int, float]]:
    """Day -> number of requests, and sum of the seconds that they waited for the rate limit; the last `most` days."""
    found = connection.execute(_WORK, [table.schema, table.name, most]).fetchall()
    return {day: (int(requests), float(waited)) for day, requests, waited in reversed(found)}


def use_by_day(connection: duckdb.DuckDBPyConnection, since: datetime) -> list[VendorDay]:
    """The requests per vendor and day since an instant, in order."""
    if not schema.exists(connection, "requests"):
        return []
    found = connection.execute(_USE, [since]).fetchall()
    return [
        VendorDay(vendor, day, int(requests), float(points), int(failed), float(waited))
        for vendor, day, requests, points, failed, waited in found
    ]


def asked_since(connection: duckdb.DuckDBPyConnection, since: datetime) -> set[str]:
    """The vendors that were sent a request."""
    if not schema.exists(connection, "requests"):
        return set()
    # a literal, because with a parameter DuckDB imports numpy and pandas, for which `status` must not wait
    lately = f"sent_at >= TIMESTAMPTZ '{since.isoformat()}'"
    found = connection.execute(f"SELECT DISTINCT vendor FROM _orgdata.requests WHERE {lately}").fetchall()
    return {vendor for (vendor,) in found}
