"""The ledger of loads: one record per commit and partition.

Here: reading and writing `_orgdata.loads`. Add here: another query on loads.
Keep out: which interval a load proves complete (coverage.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import duckdb

from orgdata_dagster.warehouse.ledger import schema
from orgdata_dagster.warehouse.names import TableName

Status = Literal["landed", "superseded", "contradicted"]

_LANDED = """
SELECT run_id, schema_name, table_name, partition_key, last(row_count ORDER BY loaded_at), sum(pages), sum(requests),
    sum(bytes), sum(seconds), sum(waited_seconds)
FROM _orgdata.loads WHERE status = 'landed' AND run_id IN (SELECT unnest(CAST(? AS VARCHAR[])))
GROUP BY run_id, schema_name, table_name, partition_key ORDER BY ALL
"""


@dataclass(frozen=True, kw_only=True)
class LoadRecord:
    """The load of one partition by one commit.

    status: `landed`; `superseded` if a newer snapshot was stored already; `contradicted` if the answer contradicts the
        stored rows, which are kept.
    as_of: the vendor's time when the pull began.
    loaded_at: the commit's time.
    rows: number of rows that this commit added to the partition and kept.
    seconds, waited: duration of the pull, and how much of it was spent waiting for the rate limit.
    columns: the columns that the vendor sent.
    replaced_characters: number of invalid characters that were replaced by U+FFFD.
    commit_seconds: duration of the whole commit under the write lock, up to its load records.
    """

    table: TableName
    partition: str | None
    run_id: str
    status: Status
    as_of: datetime
    loaded_at: datetime
    rows: int
    pages: int
    bytes: int
    requests: int
    seconds: float
    waited: float
    columns: Sequence[str]
    replaced_characters: int = 0
    commit_seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class LandedPartition:
    """The sum of what one run landed in one partition, in one or more commits."""

    run_id: str
    table: TableName
    partition: str | None
    rows: int
    pages: int
    requests: int
    bytes: int
    seconds: float
    waited: float


def write_loads(connection: duckdb.DuckDBPyConnection, loads: Sequence[LoadRecord]) -> None:
    """Record loads."""
    rows = [
        {
            "schema_name": load.table.schema,
            "table_name": load.table.name,
            "partition_key": load.partition,
            "run_id": load.run_id,
            "status": load.status,
            "as_of": load.as_of,
            "loaded_at": load.loaded_at,
            "row_count": load.rows,
            "pages": load.pages,
            "bytes": load.bytes,
            "requests": load.requests,
            "seconds": load.seconds,
            "waited_seconds": load.waited,
            "column_names": list(load.columns),
            "replaced_characters": load.replaced_characters,
            "commit_seconds": load.commit_seconds,
        }
        for load in loads
    ]
    schema.insert(connection, "loads", rows)


def has_load(connection: duckdb.DuckDBPyConnection, table: TableName, run_id: str, at: datetime) -> bool:
    """Whether a commit of this run at this time is recorded."""
    if not schema.exists(connection):
        return False
    found = connection.execute(
        "SELECT 1 FROM _orgdata.loads WHERE schema_name = ? AND table_name = ? AND run_id = ? "
        "AND loaded_at = CAST(? AS TIMESTAMPTZ) LIMIT 1",
        [table.schema, table.name, run_id, at],
    ).fetchone()
    return found is not None


def last_loaded_at(connection: duckdb.DuckDBPyConnection, table: TableName, since: datetime) -> datetime | None:
    """The time of the last commit to a table, at or after `since`; None if there is none.

    With a bound, a lake reads no file of the ledger instead of all of them.
    """
    row = connection.execute(
        "SELECT max(loaded_at) FROM _orgdata.loads "
        "WHERE schema_name = ? AND table_name = ? AND loaded_at >= CAST(? AS TIMESTAMPTZ)",
        [table.schema, table.name, since],
    ).fetchone()
    return row[0] if row else None


def last_columns(connection: duckdb.DuckDBPyConnection, table: TableName) -> frozenset[str]:
    """The columns that the vendor sent with the last load that had rows."""
    row = connection.execute(
        "SELECT column_names FROM _orgdata.loads WHERE schema_name = ? AND table_name = ? AND row_count > 0 "
        "ORDER BY loaded_at DESC LIMIT 1",
        [table.schema, table.name],
    ).fetchone()
    return frozenset(row[0]) if row else frozenset()


def newest_snapshots(
    connection: duckdb.DuckDBPyConnection, table: TableName, partitions: Sequence[str | None], now: datetime
) -> dict[str | None, datetime]:
    """Partition -> the time of the snapshot that it contains now.

    A time after `now` was written while this machine's clock was wrong. It counts as the oldest possible time, because
    otherwise every pull until then would be superseded.
    """
    rows = connection.execute(
        "SELECT partition_key, coalesce(max(as_of) FILTER (as_of <= ?), TIMESTAMPTZ 'epoch') FROM _orgdata.loads "
        "WHERE schema_name = ? AND table_name = ? AND status = 'landed' "
        "AND (partition_key IN (SELECT unnest(CAST(? AS VARCHAR[]))) OR (partition_key IS NULL AND ?)) GROUP BY ALL",
        [now, table.schema, table.name, partitions, None in partitions],
    ).fetchall()
    return dict(rows)


def past_requests(connection: duckdb.DuckDBPyConnection, table: TableName, today: str) -> dict[str | None, float]:
    """Partition before `today` (None: the whole table) -> number of requests of its last load."""
    if not schema.exists(connection):
        return {}
    rows = connection.execute(
        "SELECT partition_key, arg_max(requests, loaded_at) FROM _orgdata.loads WHERE schema_name = ? "
        "AND table_name = ? AND status = 'landed' AND (partition_key IS NULL OR partition_key < ?) GROUP BY ALL",
        [table.schema, table.name, today],
    ).fetchall()
    return {partition: float(requests) for partition, requests in rows}


def landed_by(connection: duckdb.DuckDBPyConnection, run_ids: Sequence[str]) -> list[LandedPartition]:
    """The partitions that these runs landed, in order."""
    if not run_ids or not schema.exists(connection):
        return []
    rows = connection.execute(_LANDED, [list(run_ids)]).fetchall()
    return [
        LandedPartition(
            run_id=run_id,
            table=TableName(schema_name, table_name),
            partition=partition,
            rows=int(row_count),
            pages=int(pages),
            requests=int(requests),
            bytes=int(size),
            seconds=seconds,
            waited=waited,
        )
        for run_id, schema_name, table_name, partition, row_count, pages, requests, size, seconds, waited in rows
    ]
