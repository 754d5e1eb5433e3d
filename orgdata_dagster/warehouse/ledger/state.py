"""The ledger of state: values of a table that are kept between pulls.

Here: reading and writing `_orgdata.state`, and its keys. Add here: another key.
Keep out: the intervals that are proven complete (coverage.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import duckdb

from orgdata_dagster.warehouse.ledger import previous, schema
from orgdata_dagster.warehouse.names import TableName

LAST_FULL_WALK = "last_full_walk"
"""When all of the vendor's rows were last read (ISO 8601)."""
FILTER_IS_SHIFTED = "filter_is_shifted"
"""`true` if the vendor's days are not UTC days."""
KEY_KINDS = "key_kinds"
"""The JSON kinds of the values of each key column (JSON)."""
NEWEST_ROWS = "newest_rows"
"""Key -> instant of some of the newest rows (JSON)."""
VIEWS = "views"
"""Hash of the settings from which the views and comments of the table were made."""


def state_of(connection: duckdb.DuckDBPyConnection, table: TableName) -> dict[str, str]:
    """Key -> value of a table."""
    if not schema.exists(connection):
        return {}
    source = "_orgdata.state" if schema.exists(connection, "state") else previous.STATE
    rows = connection.execute(
        f"SELECT key, value FROM {source} WHERE schema_name = ? AND table_name = ?", [table.schema, table.name]
    ).fetchall()
    return dict(rows)


def write_state(
    connection: duckdb.DuckDBPyConnection, table: TableName, values: Mapping[str, str], at: datetime
) -> None:
    """Set some keys of a table to new values; `at` is the commit's time."""
    connection.execute(
        "DELETE FROM _orgdata.state WHERE schema_name = ? AND table_name = ? "
        "AND key IN (SELECT unnest(CAST(? AS VARCHAR[])))",
        [table.schema, table.name, list(values)],
    )
    rows = [
        {"schema_name": table.schema, "table_name": table.name, "key": key, "value": value, "updated_at": at}
        for key, value in values.items()
    ]
    schema.insert(connection, "state", rows)
