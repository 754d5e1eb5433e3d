"""What was pulled day by day: rows, requests, waits.

Here: queries for plots and for the overview. Keep out: drawing, and what one load brought (loads.py).
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
# Waits of several threads overlap: of each, only what no earlier one covers counts.
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

    points: of the rate limit. failed: requests without a usable answer.
    waited: seconds in which at least one thread waited for the rate limit.
    """

    vendor: str
    day: str
    requests: int
    points: float
    failed: int
    waited: float


def rows_by_day(connection: duckdb.DuckDBPyConnection, table: TableName, most: int) -> dict[str, int]:
    """Partition -> its rows; for a table without partitions, day of a pull -> the table's rows. In order, the last."""
    found = connection.execute(_ROWS, [table.schema, table.name, most]).fetchall()
    return {day: int(rows) for day, rows in reversed(found)}


def work_by_day(connection: duckdb.DuckDBPyConnection, table: TableName, most: int) -> dict[str, tuple[int, float]]:
    """Day of pulls -> requests, and seconds that requests waited for the rate limit, added up. In order, the last."""
    found = connection.execute(_WORK, [table.schema, table.name, most]).fetchall()
    return {day: (int(requests), float(waited)) for day, requests, waited in reversed(found)}


def use_by_day(connection: duckdb.DuckDBPyConnection, since: datetime) -> list[VendorDay]:
    """The requests by vendor and day."""
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
