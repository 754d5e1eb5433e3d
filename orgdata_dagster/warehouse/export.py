"""Tables as Parquet files, one per partition, for programs that do not read the warehouse.

Here: `export`, which writes only what changed since the last time. Keep out: which tables (cli/export.py), and the
types of Parquet (types/parquet.py).

    FOLDER/octolis/contacts/rows.parquet                                    a table without partitions
    FOLDER/institution_analytics/users/partition=2026-11-01/rows.parquet    one file per partition
    FOLDER/institution_analytics/users/exported.parquet                     what was exported, per partition

A partition is written again if its number of rows, its newest load or the table's columns have changed. The file of a
removed partition is replaced by a file without rows, because SQL cannot delete files from an object store. Each file is
replaced atomically. A reader during an export may see some old and some new partitions.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import duckdb

from orgdata_dagster.warehouse.catalog import columns_of
from orgdata_dagster.warehouse.errors import WarehouseUnavailable
from orgdata_dagster.warehouse.names import LOADED_AT, PARTITION, TableName, literal, quoted
from orgdata_dagster.warehouse.storage.causes import first_line
from orgdata_dagster.warehouse.storage.connection import SCRATCH, Warehouse
from orgdata_dagster.warehouse.storage.memory import with_room
from orgdata_dagster.warehouse.storage.object_store import CHECK, ObjectStore, store_of
from orgdata_dagster.warehouse.types.parquet import storable

EXPORTED = "exported.parquet"
_ROWS = "rows.parquet"


@dataclass(frozen=True)
class Exported:
    """The result of exporting a table.

    written, unchanged: numbers of files.
    rows: number of rows of the table.
    """

    table: TableName
    written: int
    unchanged: int
    rows: int


class _Partition(NamedTuple):
    """The state of a partition when it was exported.

    newest: time of its newest load, as text.
    columns: the table's columns with their types.
    """

    key: str | None
    rows: int
    newest: str | None
    columns: str


def export(warehouse: Warehouse, table: TableName, folder: str) -> Exported:
    """Update the Parquet files of a table below `folder`, which is a path or the URL of an object store.

    Writers wait until the table's changed partitions are written, so that the files are consistent.

    Raises WarehouseUnavailable if a file cannot be read or written.
    """
    store = store_of(folder)
    place = f"{folder.rstrip('/')}/{quote(table.schema)}/{quote(table.name)}"

    def run() -> Exported:
        with warehouse.reading(connection), _reached(store, table, place):
            types = columns_of(connection, table)
            now = list(_partitions(connection, table, types))
            before = set(_exported(connection, place, store))
            there = {each.key for each in now}
            columns = _described(types)
            gone = [_Partition(old.key, 0, None, columns) for old in before if old.key not in there]
            wanted = [*now, *gone]
            changed = [each for each in wanted if each not in before]
            if changed:
                _write(connection, table, types, changed, wanted, place)
            return Exported(table, len(changed), len(wanted) - len(changed), sum(each.rows for each in now))

    with warehouse.alone().scratch_connection() as connection:
        if store:
            store.authenticate(connection)
        try:
            return with_room(connection, run)
        except (OSError, duckdb.IOException) as error:
            cause = error.strerror if isinstance(error, OSError) else first_line(error)
            raise WarehouseUnavailable(f"Cannot export {table} to {place}: {cause}.") from None


@contextmanager
def _reached(store: ObjectStore | None, table: TableName, place: str) -> Iterator[None]:
    """Raise errors of the object store as WarehouseUnavailable."""
    try:
        yield
    except duckdb.Error as error:
        if store is None or not (cause := store.cause(error)):
            raise
        raise WarehouseUnavailable(f"Cannot export {table} to {place}: {cause}. Check {CHECK}.") from None


def _partitions(connection: duckdb.DuckDBPyConnection, table: TableName, types: dict[str, str]) -> Iterator[_Partition]:
    columns = _described(types)
    found = connection.execute(
        f"SELECT {PARTITION}, count(*), CAST(max({LOADED_AT}) AS VARCHAR) FROM {table.sql} GROUP BY 1 ORDER BY 1"
    ).fetchall()
    return (_Partition(key, rows, newest, columns) for key, rows, newest in found)


def _exported(connection: duckdb.DuckDBPyConnection, place: str, store: ObjectStore | None) -> Iterator[_Partition]:
    """The partitions that the last export wrote; empty before the first export."""
    file = f"{place}/{EXPORTED}"
    if not (store.exists(connection, file) if store else Path(file).exists()):
        return iter(())
    found = connection.execute(f"SELECT * FROM read_parquet({literal(file)})").fetchall()
    return (_Partition(*row) for row in found)


def _write(
    connection: duckdb.DuckDBPyConnection,
    table: TableName,
    types: dict[str, str],
    changed: list[_Partition],
    wanted: list[_Partition],
    place: str,
) -> None:
    columns = ", ".join(
        f"{storable(connection, table.sql, name, kind)} AS {quoted(name)}" for name, kind in types.items()
    )
    for partition in changed:
        where = f"{PARTITION} IS NULL" if partition.key is None else f"{PARTITION} = {literal(partition.key)}"
        below = "" if partition.key is None else f"partition={quote(partition.key, safe='')}/"
        _copy(connection, f"SELECT {columns} FROM {table.sql} WHERE {where}", f"{place}/{below}{_ROWS}")
    # the list is written last: after an interrupted export, the next one writes these partitions again
    made = f"{SCRATCH}.orgdata_exported"
    connection.execute(
        f"CREATE OR REPLACE TABLE {made} (partition VARCHAR, row_count BIGINT, newest_load VARCHAR, columns VARCHAR)"
    )
    connection.executemany(f"INSERT INTO {made} VALUES (?, ?, ?, ?)", wanted)
    _copy(connection, f"FROM {made}", f"{place}/{EXPORTED}")


def _copy(connection: duckdb.DuckDBPyConnection, query: str, file: str) -> None:
    local = "://" not in file
    if local:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
    # an object store shows only complete files, but a local folder would show a part of a file
    connection.execute(f"COPY ({query}) TO {literal(file)} (FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE {local})")


def _described(types: dict[str, str]) -> str:
    return ", ".join(f"{quoted(name)} {kind}" for name, kind in types.items())
