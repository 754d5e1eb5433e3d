"""The ledger: what was loaded, which intervals are proven complete, what changed, what was asked of the vendors.

Here: schema `_orgdata` and the writing of its rows, always inside the transaction of the data they speak of.
Add here: a column or table of the ledger. Keep out: questions to it (coverage.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from functools import cache

import duckdb

from orgdata_dagster.warehouse.errors import LedgerIncomplete
from orgdata_dagster.warehouse.names import TableName

_TABLES = """
CREATE SCHEMA IF NOT EXISTS _orgdata;
CREATE TABLE IF NOT EXISTS _orgdata.loads (
    schema_name VARCHAR, table_name VARCHAR, partition_key VARCHAR, run_id VARCHAR, status VARCHAR,
    as_of TIMESTAMP WITH TIME ZONE, loaded_at TIMESTAMP WITH TIME ZONE, row_count BIGINT, pages BIGINT, bytes BIGINT,
    requests BIGINT, seconds DOUBLE, waited_seconds DOUBLE, column_names VARCHAR[], replaced_characters BIGINT);
ALTER TABLE _orgdata.loads ADD COLUMN IF NOT EXISTS replaced_characters BIGINT;
CREATE TABLE IF NOT EXISTS _orgdata.coverage (
    schema_name VARCHAR, table_name VARCHAR, partition_key VARCHAR, from_instant TIMESTAMP WITH TIME ZONE,
    to_instant TIMESTAMP WITH TIME ZONE, complete BOOLEAN, reason VARCHAR, as_of TIMESTAMP WITH TIME ZONE,
    run_id VARCHAR, recorded_at TIMESTAMP WITH TIME ZONE);
CREATE TABLE IF NOT EXISTS _orgdata.schema_changes (
    schema_name VARCHAR, table_name VARCHAR, column_name VARCHAR, change VARCHAR, type_before VARCHAR,
    type_after VARCHAR, run_id VARCHAR, recorded_at TIMESTAMP WITH TIME ZONE);
CREATE TABLE IF NOT EXISTS _orgdata.requests (
    vendor VARCHAR, endpoint VARCHAR, method VARCHAR, sent_at TIMESTAMP WITH TIME ZONE, status INTEGER, attempt INTEGER,
    cost DOUBLE, waited_seconds DOUBLE, seconds DOUBLE, bytes BIGINT, request_id VARCHAR, error VARCHAR,
    run_id VARCHAR);
CREATE TABLE IF NOT EXISTS _orgdata.columns (
    schema_name VARCHAR, table_name VARCHAR, vendor_name VARCHAR[], occurrence INTEGER, column_name VARCHAR);
CREATE TABLE IF NOT EXISTS _orgdata.views (schema_name VARCHAR, table_name VARCHAR, made_of VARCHAR);
COMMENT ON TABLE _orgdata.loads IS
    'A row per partition and commit. status: landed, superseded (a newer snapshot was there already), or doubted (the
     answer contradicts what is stored, which stays). replaced_characters: how many no text can have became U+FFFD.';
COMMENT ON TABLE _orgdata.coverage IS
    'Which interval [from_instant, to_instant) of which table is proven complete, by which run; if not, why.';
COMMENT ON TABLE _orgdata.schema_changes IS 'Columns added, widened, no longer sent, or split into a variant column.';
COMMENT ON TABLE _orgdata.requests IS 'A row per API call, retries too. Times in seconds; never a query or a secret.';
COMMENT ON TABLE _orgdata.columns IS
    'Which column a vendor''s name leads to. vendor_name: the name, or that of a nested object and the one in it.';
COMMENT ON TABLE _orgdata.views IS 'Of which settings (a hash) the views and comments of a table were made.';
"""


@dataclass(frozen=True)
class Interval:
    """Part of the time line, `[start, end)`, that a load speaks of; `reason` says why it is not complete."""

    start: datetime
    end: datetime
    reason: str | None = None

    @property
    def complete(self) -> bool:
        """Whether the table holds everything that the vendor has of it."""
        return self.reason is None


@dataclass(frozen=True)
class ApiRequest:
    """One API call as the ledger keeps it: no query, no secret."""

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


@dataclass(frozen=True)
class Record:
    """What the ledger keeps of the load of one partition."""

    table: TableName
    partition: str | None
    run_id: str
    status: str
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


def create(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the ledger's tables where they are missing."""
    try:
        connection.execute(
            "SELECT replaced_characters FROM _orgdata.loads, _orgdata.views LIMIT 0"
        )  # the youngest parts
    except (duckdb.CatalogException, duckdb.BinderException):
        connection.execute(_TABLES)


def exists(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether anything was ever committed to this warehouse. Raises LedgerIncomplete if part of the ledger is gone."""
    counted = "SELECT table_name, column_count FROM duckdb_tables() WHERE database_name = current_database() "
    found = dict(connection.execute(counted + "AND schema_name = '_orgdata'").fetchall())
    expected = _columns()
    if not expected.keys() & found.keys():
        return False
    if any(found.get(table, 0) < len(columns) for table, columns in expected.items()):
        where = connection.execute("SELECT path FROM duckdb_databases() WHERE database_name = current_database()")
        (path,) = where.fetchone() or ("",)
        raise LedgerIncomplete(
            f"The ledger in {path} lacks {', '.join(missing(connection))}: deleted, or made by an older orgdata. Run "
            "`orgdata doctor --fix`, which adds it without rows, then pull what `orgdata status` shows as missing."
        )
    return True


def missing(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """What this ledger lacks: `_orgdata.table`, or `_orgdata.table.column`."""
    here = _described(connection)
    return [
        f"_orgdata.{table}" if table not in here else f"_orgdata.{table}.{name}"
        for table, columns in _columns().items()
        for name in (columns if table in here else [""])
        if name not in here.get(table, {})
    ]


def repair(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Add what is missing, without rows or values; returns what that was."""
    lacking = missing(connection)
    connection.execute(_TABLES)
    here = _described(connection)
    for table, columns in _columns().items():
        for name, kind in columns.items():
            if name not in here[table]:
                connection.execute(f"ALTER TABLE _orgdata.{table} ADD COLUMN {name} {kind}")
    return lacking


@cache
def _columns() -> dict[str, dict[str, str]]:
    """Table -> column -> type, as `_TABLES` makes them."""
    with duckdb.connect(config={"threads": 1}) as connection:  # workers are forked later: leave no thread behind
        connection.execute(_TABLES)
        return _described(connection)


def _described(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, str]]:
    rows = connection.execute(
        "SELECT table_name, column_name, data_type FROM duckdb_columns() "
        "WHERE database_name = current_database() AND schema_name = '_orgdata'"
    ).fetchall()
    result: dict[str, dict[str, str]] = {}
    for table, column, kind in rows:
        result.setdefault(table, {})[column] = kind
    return result


def views_made_of(connection: duckdb.DuckDBPyConnection, table: TableName) -> str | None:
    """The hash of the settings of which a table's views were made."""
    query = "SELECT made_of FROM _orgdata.views WHERE schema_name = ? AND table_name = ?"
    found = connection.execute(query, [table.schema, table.name]).fetchone()
    return str(found[0]) if found else None


def note_views(connection: duckdb.DuckDBPyConnection, table: TableName, made_of: str) -> None:
    """Note of which settings a table's views were made."""
    names = [table.schema, table.name]
    connection.execute("DELETE FROM _orgdata.views WHERE schema_name = ? AND table_name = ?", names)
    insert(connection, "views", [(*names, made_of)])


def write_loads(connection: duckdb.DuckDBPyConnection, loads: Sequence[Record]) -> None:
    """Note the loads of some partitions."""
    rows = [
        (
            *(load.table.schema, load.table.name, load.partition, load.run_id, load.status, load.as_of, load.loaded_at),
            *(load.rows, load.pages, load.bytes, load.requests, load.seconds, load.waited, list(load.columns)),
            load.replaced_characters,
        )
        for load in loads
    ]
    insert(connection, "loads", rows)


def write_coverage(connection: duckdb.DuckDBPyConnection, proven: Sequence[tuple[Record, Sequence[Interval]]]) -> None:
    """Replace what is known of the coverage of some partitions of one table."""
    for table in {load.table for load, _ in proven}:
        partitions = [load.partition for load, _ in proven if load.table == table]
        connection.execute(
            "DELETE FROM _orgdata.coverage WHERE schema_name = ? AND table_name = ? "
            "AND (partition_key IN (SELECT unnest(CAST(? AS VARCHAR[]))) OR (partition_key IS NULL AND ?))",
            [table.schema, table.name, partitions, None in partitions],
        )
    rows = [
        (
            *(load.table.schema, load.table.name, load.partition, interval.start, interval.end),
            *(interval.complete, interval.reason, load.as_of, load.run_id, load.loaded_at),
        )
        for load, intervals in proven
        for interval in intervals
    ]
    insert(connection, "coverage", rows)


def write_schema_change(
    connection: duckdb.DuckDBPyConnection,
    table: TableName,
    change: tuple[str, str, str | None, str | None],
    run_id: str,
    at: datetime,
) -> None:
    """Note a change of a table's columns: (column, change, type before, type after)."""
    connection.execute(
        "INSERT INTO _orgdata.schema_changes VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [table.schema, table.name, *change, run_id, at],
    )


def write_requests(connection: duckdb.DuckDBPyConnection, requests: Sequence[ApiRequest], run_id: str) -> None:
    """Note API calls."""
    names = [field.name for field in fields(ApiRequest)]
    insert(connection, "requests", [(*(getattr(request, name) for name in names), run_id) for request in requests])


def insert(connection: duckdb.DuckDBPyConnection, table: str, rows: Sequence[tuple[object, ...]]) -> None:
    """Add rows all in one statement: one at a time would cost more than the calls and loads they tell of."""
    if not rows:
        return
    described = connection.execute(f"SELECT * FROM _orgdata.{table} LIMIT 0").description or ()
    values = ", ".join(f"unnest(CAST(? AS {column[1]}[]))" for column in described)
    columns = [list(column) for column in zip(*rows, strict=True)]
    connection.execute(f"INSERT INTO _orgdata.{table} SELECT {values}", columns)


def has_load(connection: duckdb.DuckDBPyConnection, table: TableName, run_id: str, at: datetime) -> bool:
    """Whether a commit of this run and instant is recorded."""
    found = connection.execute(
        "SELECT 1 FROM _orgdata.loads WHERE schema_name = ? AND table_name = ? AND run_id = ? "
        "AND loaded_at = CAST(? AS TIMESTAMPTZ) LIMIT 1",
        [table.schema, table.name, run_id, at],
    ).fetchone()
    return found is not None


def last_columns(connection: duckdb.DuckDBPyConnection, table: TableName) -> frozenset[str]:
    """The columns that the last load with rows brought."""
    row = connection.execute(
        "SELECT column_names FROM _orgdata.loads WHERE schema_name = ? AND table_name = ? AND row_count > 0 "
        "ORDER BY loaded_at DESC LIMIT 1",
        [table.schema, table.name],
    ).fetchone()
    return frozenset(row[0]) if row else frozenset()


def newest_snapshots(
    connection: duckdb.DuckDBPyConnection, table: TableName, partitions: Sequence[str | None], now: datetime
) -> dict[str | None, datetime]:
    """Partition -> the time of the snapshot that it holds now.

    A time after `now` was written while this machine's clock was wrong. It counts as the oldest time there is, or every
    pull until then would be superseded.
    """
    rows = connection.execute(
        "SELECT partition_key, coalesce(max(as_of) FILTER (as_of <= ?), TIMESTAMPTZ 'epoch') FROM _orgdata.loads "
        "WHERE schema_name = ? AND table_name = ? AND status = 'landed' GROUP BY ALL",
        [now, table.schema, table.name],
    ).fetchall()
    return {partition: as_of for partition, as_of in rows if partition in set(partitions)}
