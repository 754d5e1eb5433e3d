"""What people read beside the tables: the `<table>_current` view and the documentation in COMMENTs.

Here: everything that is made anew whenever a table's columns changed. Keep out: data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from orgdata_dagster.warehouse import snapshots
from orgdata_dagster.warehouse.evolution import table_columns
from orgdata_dagster.warehouse.names import LOADED_AT, PARTITION, RUN_ID, literal, quoted

if TYPE_CHECKING:
    from orgdata_dagster.warehouse.commit import Target

_OWN_COLUMNS = {
    PARTITION: "The Dagster partition that brought the row.",
    LOADED_AT: "When the row was committed (UTC).",
    RUN_ID: "The Dagster run that brought the row; see _orgdata.loads.",
}


def refresh(connection: duckdb.DuckDBPyConnection, target: Target) -> None:
    """Make the views and comments of a table anew. DuckDB's views fail once a column was added beneath them."""
    columns = table_columns(connection, target.table)
    if target.description:
        connection.execute(f"COMMENT ON TABLE {target.table.sql} IS {literal(target.description)}")
    for name, text in (_OWN_COLUMNS | dict(target.column_descriptions)).items():
        if name in columns:
            connection.execute(f"COMMENT ON COLUMN {target.table.sql}.{quoted(name)} IS {literal(text)}")
    if target.snapshots:
        snapshots.make_views(connection, target)
    elif target.write_disposition == "merge":
        pass  # the table itself has one row a key
    elif target.key and target.cursor and {*target.key, target.cursor} <= set(columns):
        _current(connection, target)


def _current(connection: duckdb.DuckDBPyConnection, target: Target) -> None:
    view = target.table.view("current")
    key = ", ".join(map(quoted, target.key))
    newest = f"CAST({quoted(target.cursor or '')} AS TIMESTAMPTZ) DESC NULLS LAST, {LOADED_AT} DESC"
    connection.execute(
        f"CREATE OR REPLACE VIEW {view.sql} AS SELECT * FROM {target.table.sql} "
        f"QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY {newest}) = 1"
    )
    text = f"The newest version of each {', '.join(target.key)} in {target.table}, by {target.cursor}."
    connection.execute(f"COMMENT ON VIEW {view.sql} IS {literal(text)}")
