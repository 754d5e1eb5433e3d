"""Merging by key: which rows stay, of those that a commit brought and those that were stored.

Here: `merge` for tables with one row a key, `keep_newest` for partitions that hold versions. Both run in the commit's
transaction, behind the insert; the rows that came with it bear its instant `now`. Add here: another rule of that kind.
Keep out: inserting (commit.py).

A row that comes again as it is stored stays untouched: whoever follows `_orgdata_loaded_at` sees changes, not pulls.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import duckdb

from orgdata_dagster.warehouse.catalog import table_columns
from orgdata_dagster.warehouse.commit.target import Target
from orgdata_dagster.warehouse.names import LOADED_AT, OWN_PREFIX, PARTITION, quoted


def merge(
    connection: duckdb.DuckDBPyConnection, target: Target, now: datetime, whole: Sequence[str | None], *, alone: bool
) -> None:
    """Keep one row a key: what was brought, unless what is stored is the same or has a later cursor.

    `whole`: partitions of which everything there is was brought, so that stored rows that did not come again are gone.
    `alone`: of what was brought each key is there once.
    """
    columns = [name for name in table_columns(connection, target.table) if not name.startswith(OWN_PREFIX)]
    if not {*target.key} <= {*columns}:
        return  # nothing but empty pages so far
    table, before = target.table.sql, f"{LOADED_AT} < CAST(? AS TIMESTAMPTZ)"
    if not alone:
        drop_duplicates_of_key(connection, target, target.table.sql, brought=now)
    stored = connection.execute(f"SELECT 1 FROM {table} WHERE {before} LIMIT 1", [now]).fetchone()
    if stored is None:
        return
    alike = " AND ".join(f"old.{quoted(name)} IS NOT DISTINCT FROM new.{quoted(name)}" for name in columns)
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE unchanged AS SELECT old.rowid AS stored, new.rowid AS brought "
        f"FROM {table} AS old JOIN {table} AS new ON {alike} WHERE old.{before} AND new.{LOADED_AT} = ?",
        [now, now],
    )
    if whole:
        gone = "rowid NOT IN (SELECT stored FROM temp.main.unchanged)"
        mine = f"(list_contains(?, {PARTITION}) OR (? AND {PARTITION} IS NULL))"
        parameters = [now, [name for name in whole if name is not None], None in whole]
        connection.execute(f"DELETE FROM {table} WHERE {before} AND {gone} AND {mine}", parameters)
    connection.execute(f"DELETE FROM {table} WHERE rowid IN (SELECT brought FROM temp.main.unchanged)")
    keep_newest(connection, target, now)


def keep_newest(connection: duckdb.DuckDBPyConnection, target: Target, now: datetime) -> None:
    """Of every key that this commit brought keep the newest version in its partition (in the table, for a merge)."""
    table = target.table.sql
    scope = [*target.key, PARTITION] if target.write_disposition == "replace" else list(target.key)
    same = " AND ".join(f"stored.{quoted(name)} IS NOT DISTINCT FROM brought.{quoted(name)}" for name in scope)
    brought = f"(SELECT DISTINCT {', '.join(map(quoted, scope))} FROM {table} WHERE {LOADED_AT} = ?) AS brought"
    order = [*_newest_first(target), f"stored.{LOADED_AT} DESC"]
    _keep_first(connection, table, scope, order, f"SEMI JOIN {brought} ON {same}", [now])


def drop_duplicates_of_key(
    connection: duckdb.DuckDBPyConnection, target: Target, table: str, *, brought: datetime | None = None
) -> int:
    """Of the rows of a table (SQL) that have the same key keep the newest version; returns how many went.

    `brought`: only of those that the commit of this instant brought.
    """
    rows, parameters = (f"WHERE stored.{LOADED_AT} = ?", [brought]) if brought else ("", [])
    keys = ", ".join(map(quoted, target.key))
    # asked first, since it is far cheaper than numbering the versions of every key
    found = connection.execute(
        f"SELECT count(*) > count(DISTINCT ({keys})) FROM {table} AS stored {rows}", parameters
    ).fetchone()
    if not (found and found[0]):
        return 0
    return _keep_first(connection, table, target.key, _newest_first(target), rows, parameters)


def _newest_first(target: Target) -> list[str]:
    return [f"CAST(stored.{quoted(target.cursor)} AS TIMESTAMPTZ) DESC NULLS LAST"] if target.cursor else []


def _keep_first(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    scope: Sequence[str],
    order: Sequence[str],
    rows: str,
    parameters: Sequence[object],
) -> int:
    """Delete all but the first of the rows that are alike in `scope`; returns how many."""
    ordered = f" ORDER BY {', '.join(order)}" if order else ""
    alike = ", ".join(f"stored.{quoted(name)}" for name in scope)
    row = connection.execute(
        f"DELETE FROM {table} WHERE rowid IN (SELECT id FROM (SELECT stored.rowid AS id, "
        f"row_number() OVER (PARTITION BY {alike}{ordered}) AS place FROM {table} AS stored {rows}) WHERE place > 1)",
        parameters,
    ).fetchone()
    return int(row[0]) if row else 0
