"""What the database's catalog says about tables and views.

Here: questions about one table's existence and columns. Add here: another question to the catalog.
Keep out: questions about rows, and changes (commit/).

A missing table is found by asking the catalog, not by catching the error of a statement: DuckDB 2.0 aborts the
transaction when a statement fails.
"""

from __future__ import annotations

from string import ascii_lowercase, ascii_uppercase

import duckdb

from orgdata_dagster.warehouse.names import TableName, folded


def _folded(column: str) -> str:
    """SQL: `names.folded` of a column."""
    return f"translate({column}, '{ascii_uppercase}', '{ascii_lowercase}')"


_EXISTS = (
    "SELECT 1 FROM information_schema.tables WHERE table_catalog = current_database() "
    f"AND {_folded('table_schema')} = ? AND {_folded('table_name')} = ?"
)


def exists(connection: duckdb.DuckDBPyConnection, table: TableName) -> bool:
    """Whether there is a table or a view of this name."""
    return connection.execute(_EXISTS, [folded(table.schema), folded(table.name)]).fetchone() is not None


def table_columns(connection: duckdb.DuckDBPyConnection, table: TableName) -> dict[str, str]:
    """Column -> type of a table or view, in order; empty if it does not exist."""
    return columns_of(connection, table) if exists(connection, table) else {}


def columns_of(connection: duckdb.DuckDBPyConnection, table: TableName) -> dict[str, str]:
    """Column -> type of a table or view that is known to exist, in order.

    Cheaper than `table_columns`: the catalog's views describe every table of the database at each call.
    """
    described = connection.execute(f"SELECT * FROM {table.sql} LIMIT 0").description
    return {column[0]: str(column[1]) for column in described or ()}
