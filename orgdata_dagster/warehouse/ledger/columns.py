"""Which column each name of a vendor leads to, kept in the warehouse so that no later pull finds another one.

Here: reading and writing of `_orgdata.columns`. Keep out: the rules (pages/column_names.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import duckdb

from orgdata_dagster.warehouse.ledger import store
from orgdata_dagster.warehouse.names import TableName
from orgdata_dagster.warehouse.pages.column_names import ColumnNames, VendorName


def names_of(connection: duckdb.DuckDBPyConnection, table: TableName, columns: Iterable[str]) -> ColumnNames:
    """The memory of a table that has these columns."""
    if not store.exists(connection):
        return ColumnNames(columns=columns)
    rows = connection.execute(
        "SELECT vendor_name, occurrence, column_name FROM _orgdata.columns WHERE schema_name = ? AND table_name = ?",
        [table.schema, table.name],
    ).fetchall()
    return ColumnNames({VendorName(tuple(path), occurrence): column for path, occurrence, column in rows}, columns)


def remember(connection: duckdb.DuckDBPyConnection, table: TableName, names: Mapping[VendorName, str]) -> None:
    """Note the columns of names that had none."""
    rows = [(table.schema, table.name, list(name.path), name.occurrence, column) for name, column in names.items()]
    store.insert(connection, "columns", rows)
