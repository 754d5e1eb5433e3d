"""Recent figures for `orgdata metrics`: requests per status, waits, landed rows, and commit times.

Here: the queries. Keep out: the state of tables (overview.py), names of metrics (cli/metrics.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import duckdb

from orgdata_dagster.warehouse.catalog import columns_of
from orgdata_dagster.warehouse.ledger import schema
from orgdata_dagster.warehouse.names import TableName, literal


@dataclass(frozen=True)
class Measures:
    """Recent figures.

    requests: vendor, HTTP status (None: no answer), number of requests, seconds waited.
    loads: vendor, table, number of landed rows, seconds of the last commit (None if it is not recorded).
    """

    requests: list[tuple[str, int | None, int, float]] = field(default_factory=list)
    loads: list[tuple[str, str, int, float | None]] = field(default_factory=list)


def measure(connection: duckdb.DuckDBPyConnection, since: datetime) -> Measures:
    """The figures since an instant. For a table without a load since then: 0 rows, and the last commit's seconds."""
    if not schema.exists(connection):
        return Measures()
    # no parameter, because DuckDB would then import pandas
    begin = f"CAST({literal(since.isoformat())} AS TIMESTAMPTZ)"
    requests = connection.execute(
        "SELECT vendor, status, count(*), sum(waited_seconds) FROM _orgdata.requests "
        f"WHERE sent_at >= {begin} GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    there = columns_of(connection, TableName("_orgdata", "loads"))
    # a ledger of the previous version has no column `commit_seconds`
    seconds = "arg_max(commit_seconds, loaded_at)" if "commit_seconds" in there else "NULL"
    loads = connection.execute(
        "SELECT schema_name, table_name, "
        f"coalesce(sum(row_count) FILTER (loaded_at >= {begin} AND status = 'landed'), 0), {seconds} "
        "FROM _orgdata.loads GROUP BY schema_name, table_name ORDER BY ALL"
    ).fetchall()
    return Measures(requests, loads)
