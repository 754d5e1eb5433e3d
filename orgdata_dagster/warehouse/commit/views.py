"""What people read beside the tables: the `<table>_current` view and the documentation in COMMENTs.

Here: everything that is made anew whenever a table's columns changed, or what was configured of it. Keep out: data.
"""

from __future__ import annotations

import hashlib

import duckdb

from orgdata_dagster.warehouse.catalog import table_columns
from orgdata_dagster.warehouse.commit import snapshots
from orgdata_dagster.warehouse.commit.target import Target
from orgdata_dagster.warehouse.ledger.views import views_made_of, write_views
from orgdata_dagster.warehouse.names import LOADED_AT, PARTITION, RUN_ID, literal, quoted

OWN_COLUMNS = {
    PARTITION: "The Dagster partition that brought the row.",
    LOADED_AT: "When the row was committed (UTC).",
    RUN_ID: "The Dagster run that brought the row; see _orgdata.loads.",
}


def refresh(connection: duckdb.DuckDBPyConnection, target: Target, changed: bool) -> None:
    """Make the views and comments of a table anew if its columns changed or if they were made of other settings.

    DuckDB's views fail once a column was added beneath them.
    """
    made_of = _fingerprint(target)
    if not changed and views_made_of(connection, target.table) == made_of:
        return
    columns = table_columns(connection, target.table)
    connection.execute(f"COMMENT ON TABLE {target.table.sql} IS {_comment(target.description)}")
    said = _comments(connection, target)
    texts = OWN_COLUMNS | dict(target.column_descriptions)
    # every comment makes a version of the whole table's description: only where there is something to say or to unsay
    for name in columns:
        if texts.get(name) != said.get(name):
            connection.execute(f"COMMENT ON COLUMN {target.table.sql}.{quoted(name)} IS {_comment(texts.get(name))}")
    if target.snapshots:
        snapshots.make_views(connection, target)
    elif target.write_disposition == "merge" and target.key:
        _whole(connection, target)
    elif target.key and target.cursor and {*target.key, target.cursor} <= set(columns):
        _current(connection, target)
    else:
        connection.execute(f"DROP VIEW IF EXISTS {target.table.view('current').sql}")
    write_views(connection, target.table, made_of)


def _comments(connection: duckdb.DuckDBPyConnection, target: Target) -> dict[str, str]:
    """Column -> comment, of those that have one."""
    return dict(
        connection.execute(
            "SELECT column_name, comment FROM duckdb_columns() WHERE database_name = current_database() "
            "AND schema_name = ? AND table_name = ? AND comment IS NOT NULL",
            [target.table.schema, target.table.name],
        ).fetchall()
    )


def _comment(text: str | None) -> str:
    return literal(text) if text else "NULL"


def _fingerprint(target: Target) -> str:
    settings = (target.key, target.cursor, target.write_disposition, target.snapshots, target.description)
    return hashlib.sha256(repr((*settings, sorted(target.column_descriptions.items()))).encode()).hexdigest()


def _whole(connection: duckdb.DuckDBPyConnection, target: Target) -> None:
    """A merged table already has one row per key; its view spares readers from knowing how a table is loaded."""
    view = target.table.view("current")
    connection.execute(f"CREATE OR REPLACE VIEW {view.sql} AS SELECT * FROM {target.table.sql}")
    text = f"One row per {', '.join(target.key)}: the same rows as {target.table}, which is merged by key."
    connection.execute(f"COMMENT ON VIEW {view.sql} IS {literal(text)}")


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
