"""`orgdata export FOLDER`: the tables as Parquet files.

Here: which tables are exported, and what is printed. Keep out: writing the files (warehouse/export.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from orgdata_dagster.cli.errors import UserError
from orgdata_dagster.orchestration import opening
from orgdata_dagster.warehouse.catalog import columns_of
from orgdata_dagster.warehouse.export import Exported, export
from orgdata_dagster.warehouse.names import LOADED_AT, PARTITION, TableName
from orgdata_dagster.warehouse.storage.connection import Warehouse


def export_tables(folder: str, names: Sequence[str]) -> Iterator[Exported]:
    """Export tables one after the other.

    names: `vendor`, `vendor.table` or `vendor/table`; empty: every table.

    Raises UserError if a name matches no table. Raises WarehouseError if a file cannot be written.
    """
    warehouse = opening.warehouse()
    place = folder if "://" in folder else str(Path(folder).expanduser().absolute())
    for table in _chosen(_tables(warehouse), names):
        yield export(warehouse, table, place)


def _tables(warehouse: Warehouse) -> list[TableName]:
    """The tables with rows of vendors, which are those with our own columns; without views."""
    with warehouse.reading() as connection:
        found = connection.execute(
            "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = current_database() "
            "AND schema_name <> '_orgdata' ORDER BY ALL"
        ).fetchall()
        tables = [TableName(*name) for name in found]
        return [table for table in tables if {PARTITION, LOADED_AT} <= set(columns_of(connection, table))]


def _chosen(tables: Sequence[TableName], names: Sequence[str]) -> list[TableName]:
    wanted = [name.replace("/", ".", 1).lower() for name in names]
    spelled = {table: {str(table).lower(), table.schema.lower()} for table in tables}
    if unknown := [name for name in wanted if not any(name in known for known in spelled.values())]:
        there = ", ".join(map(str, tables)) or "none yet: pull something first"
        raise UserError(f"the warehouse has no table or vendor {unknown[0]}; there are {there}")
    return [table for table, known in spelled.items() if not wanted or known & set(wanted)]
