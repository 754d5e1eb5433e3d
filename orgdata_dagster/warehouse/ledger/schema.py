"""The ledger's tables: schema `_orgdata` of the warehouse.

Here: their definition, creation, repair, and the one way to insert rows. Add here: a table or a column.
Keep out: reading and writing the rows of one table (the module named after it).

Rows are written in the transaction that commits the data they describe.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

import duckdb

from orgdata_dagster.warehouse.catalog import known, tables
from orgdata_dagster.warehouse.errors import LedgerIncomplete
from orgdata_dagster.warehouse.ledger import previous

_TABLES = """
CREATE SCHEMA IF NOT EXISTS _orgdata;
CREATE TABLE IF NOT EXISTS _orgdata.loads (
    schema_name VARCHAR, table_name VARCHAR, partition_key VARCHAR, run_id VARCHAR, status VARCHAR,
    as_of TIMESTAMP WITH TIME ZONE, loaded_at TIMESTAMP WITH TIME ZONE, row_count BIGINT, pages BIGINT, bytes BIGINT,
    requests BIGINT, seconds DOUBLE, waited_seconds DOUBLE, column_names VARCHAR[], replaced_characters BIGINT,
    commit_seconds DOUBLE);
CREATE TABLE IF NOT EXISTS _orgdata.coverage (
    schema_name VARCHAR, table_name VARCHAR, partition_key VARCHAR, from_instant TIMESTAMP WITH TIME ZONE,
    to_instant TIMESTAMP WITH TIME ZONE, complete BOOLEAN, reason VARCHAR, proof VARCHAR,
    as_of TIMESTAMP WITH TIME ZONE, run_id VARCHAR, recorded_at TIMESTAMP WITH TIME ZONE);
CREATE TABLE IF NOT EXISTS _orgdata.schema_changes (
    schema_name VARCHAR, table_name VARCHAR, column_name VARCHAR, change VARCHAR, type_before VARCHAR,
    type_after VARCHAR, run_id VARCHAR, recorded_at TIMESTAMP WITH TIME ZONE);
CREATE TABLE IF NOT EXISTS _orgdata.requests (
    vendor VARCHAR, endpoint VARCHAR, method VARCHAR, sent_at TIMESTAMP WITH TIME ZONE, status INTEGER, attempt INTEGER,
    cost DOUBLE, waited_seconds DOUBLE, seconds DOUBLE, bytes BIGINT, request_id VARCHAR, error VARCHAR,
    run_id VARCHAR);
CREATE TABLE IF NOT EXISTS _orgdata.columns (
    schema_name VARCHAR, table_name VARCHAR, vendor_name VARCHAR[], occurrence INTEGER, column_name VARCHAR);
CREATE TABLE IF NOT EXISTS _orgdata.state (
    schema_name VARCHAR, table_name VARCHAR, key VARCHAR, value VARCHAR, updated_at TIMESTAMP WITH TIME ZONE);
COMMENT ON TABLE _orgdata.loads IS
    'One row per partition and commit. status: landed, superseded (a newer snapshot was stored already), or contradicted
     (the answer contradicts the stored rows, which are kept). replaced_characters: number of invalid characters that
     were replaced by U+FFFD. commit_seconds: duration of the whole commit under the write lock, the same for all its
     partitions.';
COMMENT ON TABLE _orgdata.coverage IS
    'One row per interval [from_instant, to_instant) of a table. complete: whether the interval is proven complete, by
     proof and run_id. reason: why it is not complete.';
COMMENT ON TABLE _orgdata.schema_changes IS
    'Columns that were added, widened, retyped, no longer sent, or split into a variant column.';
COMMENT ON TABLE _orgdata.requests IS
    'One row per API call, retries included. Times in seconds. No query strings and no secrets.';
COMMENT ON TABLE _orgdata.columns IS
    'The column of each of a vendor''s names. vendor_name: the name, or the names of a nested object and of its field.';
COMMENT ON TABLE _orgdata.state IS
    'Values of a table that are kept between pulls. last_full_walk: when all rows were last read. views: hash of the
     settings from which its views and comments were made.';
"""


def create(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the ledger in a new warehouse, or bring the ledger of a previous version up to date.

    Raises LedgerIncomplete if a part of the ledger is missing.
    """
    if _is_complete(connection):
        return
    found = _column_counts(connection)
    if previous.made(found):
        previous.migrate(connection, lambda: repair(connection))
    elif not exists(connection):
        connection.execute(_TABLES)


def exists(connection: duckdb.DuckDBPyConnection, table: str = "loads") -> bool:
    """Whether the ledger has this table; False if nothing was ever committed to the warehouse.

    A ledger that a previous version made has fewer tables until the next commit.
    Raises LedgerIncomplete if another part of the ledger is missing.
    """
    if _is_complete(connection):
        return True
    found, expected = _column_counts(connection), _definition()
    if not expected.keys() & found.keys():
        return False
    if previous.made(found):
        expected = previous.part_of(expected)
    if any(found.get(name, 0) < len(columns) for name, columns in expected.items()):
        where = connection.execute("SELECT path FROM duckdb_databases() WHERE database_name = current_database()")
        (path,) = where.fetchone() or ("",)
        raise LedgerIncomplete(
            f"The ledger in {path} lacks {', '.join(missing(connection))}. Run `orgdata doctor --fix`, which adds it "
            "without rows, then pull what `orgdata status` shows as missing."
        )
    return table in found


def _is_complete(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the ledger has every table and column, which is nearly always true."""

    def query() -> bool:
        found = _column_counts(connection)
        return all(found.get(name, 0) >= len(columns) for name, columns in _definition().items())

    return known(connection, "the whole ledger", query)


def missing(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """The missing tables and columns of the ledger, as `_orgdata.table` or `_orgdata.table.column`."""
    here = _described(connection)
    return [
        f"_orgdata.{table}" if table not in here else f"_orgdata.{table}.{name}"
        for table, columns in _definition().items()
        for name in (columns if table in here else [""])
        if name not in here.get(table, {})
    ]


def repair(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Add the missing tables and columns, without rows or values; returns what was added, as `missing` names it."""
    lacking = missing(connection)
    connection.execute(_TABLES)
    here = _described(connection)
    for table, columns in _definition().items():
        for name, kind in columns.items():
            if name not in here[table]:
                connection.execute(f"ALTER TABLE _orgdata.{table} ADD COLUMN {name} {kind}")
    return lacking


def insert(connection: duckdb.DuckDBPyConnection, table: str, rows: Sequence[Mapping[str, object]]) -> None:
    """Insert rows (column -> value, with the same columns in every row) by name, in one statement.

    One statement per row would take longer than the requests and loads that the rows describe.
    """
    if not rows:
        return
    types = _definition()[table]
    columns = list(rows[0])
    values = ", ".join(f"unnest(CAST(? AS {types[name]}[])) AS {name}" for name in columns)
    connection.execute(
        f"INSERT INTO _orgdata.{table} BY NAME SELECT {values}",
        [[row[name] for row in rows] for name in columns],
    )


def _column_counts(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Table in schema `_orgdata` -> number of columns."""
    every = tables(connection)
    counted = f"SELECT table_name, column_count FROM {every} WHERE database_name = current_database() "
    return dict(connection.execute(counted + "AND schema_name = '_orgdata'").fetchall())


@cache
def _definition() -> dict[str, dict[str, str]]:
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
