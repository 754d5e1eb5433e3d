"""The view `<table>_current` and the comments of tables and columns.

Here: everything that is recreated when a table's columns or settings change. Add here: another view of all tables with
a key. Keep out: the views of snapshots (snapshots.py), rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

import duckdb

from orgdata_dagster.warehouse.catalog import columns_of
from orgdata_dagster.warehouse.commit import snapshots
from orgdata_dagster.warehouse.commit.target import Target
from orgdata_dagster.warehouse.ledger.state import VIEWS, state_of, write_state
from orgdata_dagster.warehouse.names import KEY_TYPES, LOADED_AT, PARTITION, RUN_ID, literal, quoted

OWN_COLUMNS = {
    PARTITION: "The Dagster partition that brought the row.",
    LOADED_AT: "When the row was committed (UTC).",
    KEY_TYPES: 'The JSON types of the key\'s values. They distinguish 1 from "1".',
    RUN_ID: "The Dagster run that brought the row; see _orgdata.loads.",
}


def refresh(
    connection: duckdb.DuckDBPyConnection, target: Target, now: datetime, *, created: bool, changed: bool
) -> None:
    """Recreate the views and comments of a table if its columns or its settings have changed.

    created: whether the table is new, so that it has no comments yet.
    changed: whether its columns have changed. DuckDB's views fail after a column was added to their table.
    """
    made_of = _fingerprint(target)
    if not (created or changed) and state_of(connection, target.table).get(VIEWS) == made_of:
        return
    columns = columns_of(connection, target.table)
    _document(connection, target, columns, {} if created else _comments(connection, target))
    if target.snapshots:
        snapshots.make_views(connection, target)
    elif target.key and {*target.key} <= columns.keys():
        _make_current(connection, target, columns)
    else:
        connection.execute(f"DROP VIEW IF EXISTS {target.table.view('current').sql}")
    write_state(connection, target.table, {VIEWS: made_of}, now)


def _document(
    connection: duckdb.DuckDBPyConnection, target: Target, columns: Iterable[str], present: Mapping[str, str]
) -> None:
    """Set the comments of the table and its columns. `present`: column -> its current comment."""
    connection.execute(f"COMMENT ON TABLE {target.table.sql} IS {_comment(target.description)}")
    texts = OWN_COLUMNS | dict(target.column_descriptions)
    # skip equal comments: each change stores a new version of the description of the whole table
    for name in columns:
        if texts.get(name) != present.get(name):
            connection.execute(f"COMMENT ON COLUMN {target.table.sql}.{quoted(name)} IS {_comment(texts.get(name))}")


def _comments(connection: duckdb.DuckDBPyConnection, target: Target) -> dict[str, str]:
    """Column -> comment, for columns with a comment."""
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


def _make_current(connection: duckdb.DuckDBPyConnection, target: Target, columns: Collection[str]) -> None:
    """Create the view with one row per key. It exists for every write disposition."""
    view, key = target.table.view("current"), ", ".join(target.key)
    rows = f"SELECT * FROM {target.table.sql}"
    if target.write_disposition == "merge":
        text = f"One row per {key}: the same rows as {target.table}, which is merged by key."
    else:
        order = [f"{PARTITION} DESC NULLS LAST", f"{LOADED_AT} DESC"]
        text = f"The last loaded row of each {key} in {target.table}, from the newest partition that contains it."
        if target.cursor in columns:
            order = [f"CAST({quoted(target.cursor or '')} AS TIMESTAMPTZ) DESC NULLS LAST", f"{LOADED_AT} DESC"]
            text = f"The newest version of each {key} in {target.table}, by {target.cursor}."
        by_key = ", ".join(map(quoted, target.key))
        rows += f" QUALIFY row_number() OVER (PARTITION BY {by_key} ORDER BY {', '.join(order)}) = 1"
    connection.execute(f"CREATE OR REPLACE VIEW {view.sql} AS {rows}")
    connection.execute(f"COMMENT ON VIEW {view.sql} IS {literal(text)}")
