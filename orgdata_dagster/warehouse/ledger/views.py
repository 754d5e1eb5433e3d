"""The ledger of views: from which settings the views and comments of a table were made.

Here: reading and writing `_orgdata.views`. Keep out: the views (commit/views.py).
"""

from __future__ import annotations

import duckdb

from orgdata_dagster.warehouse.ledger import schema
from orgdata_dagster.warehouse.names import TableName


def views_made_of(connection: duckdb.DuckDBPyConnection, table: TableName) -> str | None:
    """Hash of the settings from which a table's views were made; None if there are none yet."""
    query = "SELECT made_of FROM _orgdata.views WHERE schema_name = ? AND table_name = ?"
    found = connection.execute(query, [table.schema, table.name]).fetchone()
    return str(found[0]) if found else None


def write_views(connection: duckdb.DuckDBPyConnection, table: TableName, made_of: str) -> None:
    """Record the hash of the settings from which a table's views were made."""
    connection.execute(
        "DELETE FROM _orgdata.views WHERE schema_name = ? AND table_name = ?", [table.schema, table.name]
    )
    schema.insert(connection, "views", [{"schema_name": table.schema, "table_name": table.name, "made_of": made_of}])
