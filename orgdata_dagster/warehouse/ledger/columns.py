"""The ledger of column names: the column of each of the vendor's names, so that later pulls use the same column.

Here: reading and writing `_orgdata.columns`. Keep out: the rules for names (pages/column_names.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import duckdb

from orgdata_dagster.warehouse.ledger import schema
from orgdata_dagster.warehouse.names import TableName
from orgdata_dagster.warehouse.pages.column_names import ColumnNames, VendorName


def names_of(connection: duckdb.DuckDBPyConnection, table: TableName, columns: Iterable[str]) -> ColumnNames:
    """The stored mapping from names to columns of a table that has these columns."""
    if not schema.exists(connection, "columns"):
        return ColumnNames(columns=columns)
    rows = connection.execute(
        "SELECT vendor_name, occurrence, column_name FROM _orgdata.columns WHERE schema_name = ? AND table_name = ?",
        [table.schema, table.name],
    ).fetchall()
    return ColumnNames({VendorName(tuple(path), occurrence): column for path, occurrence, column in rows}, columns)


def remember(connection: duckdb.DuckDBPyConnection, table: TableName, names: Mapping[VendorName, str]) -> None:
    """Store the columns of new names."""
    rows = [
        {
            "schema_name": table.schema,
            "table_name": table.name,
            "vendor_name": list(name.path),
            "occurrence": name.occurrence,
            "column_name": column,
        }
        for name, column in names.items()
    ]
    schema.insert(connection, "columns", rows)
