"""Merging by key: which of the inserted and the stored rows are kept.

Here: `merge` for tables with one row per key, `keep_newest` for partitions with versions of keys. Both run in the
commit's transaction after the insert. The inserted rows have the commit's time `now` in `_orgdata_loaded_at`.
Add here: another such rule. Keep out: inserting (inserting.py).

If a row was pulled again and is unchanged, the stored row is kept. `_orgdata_loaded_at` therefore states when a row
changed, not when it was last pulled.
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
    """Keep one row per key: the inserted one, unless the stored one is the same or has a later cursor.

    whole: partitions of which all rows were pulled; their stored rows that were not pulled again are deleted.
    alone: whether every key occurs only once in the inserted rows.
    """
    columns = [
        name
        for name in table_columns(connection, target.table)
        if not name.startswith(OWN_PREFIX) or name in target.key
    ]
    if not {*target.key} <= {*columns}:
        return  # only empty pages so far
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
    """Keep the newest version of every key that this commit inserted: per partition, or per table for a merge."""
    table = target.table.sql
    scope = [*target.key, PARTITION] if target.write_disposition == "replace" else list(target.key)
    same = " AND ".join(f"stored.{quoted(name)} IS NOT DISTINCT FROM brought.{quoted(name)}" for name in scope)
    brought = f"(SELECT DISTINCT {', '.join(map(quoted, scope))} FROM {table} WHERE {LOADED_AT} = ?) AS brought"
    order = [*_newest_first(target), f"stored.{LOADED_AT} DESC"]
    _keep_first(connection, table, scope, order, f"SEMI JOIN {brought} ON {same}", [now])


def drop_duplicates_of_key(
    connection: duckdb.DuckDBPyConnection, target: Target, table: str, *, brought: datetime | None = None
) -> int:
    """Keep the newest version of each key of a table; returns the number of deleted rows.

    table: SQL of its name.
    brought: consider only rows of the commit with this time; None for all rows.
    """
    rows, parameters = (f"WHERE stored.{LOADED_AT} = ?", [brought]) if brought else ("WHERE true", [])
    key = f"hash({', '.join(f'stored.{quoted(name)}' for name in target.key)})"
    # Find the hashes of repeated keys first: numbering the versions of every key would take far longer.
    row = connection.execute(
        f"CREATE OR REPLACE TEMP TABLE repeated AS SELECT {key} AS hash FROM {table} AS stored {rows} "
        "GROUP BY ALL HAVING count(*) > 1",
        parameters,
    ).fetchone()
    if not (row and row[0]):
        return 0
    some = f"{rows} AND {key} IN (SELECT hash FROM temp.main.repeated)"
    return _keep_first(connection, table, target.key, _newest_first(target), some, parameters)


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
    """Delete all but the first of the rows with equal columns `scope`; returns the number of deleted rows."""
    ordered = f" ORDER BY {', '.join(order)}" if order else ""
    alike = ", ".join(f"stored.{quoted(name)}" for name in scope)
    row = connection.execute(
        f"DELETE FROM {table} WHERE rowid IN (SELECT id FROM (SELECT stored.rowid AS id, "
        f"row_number() OVER (PARTITION BY {alike}{ordered}) AS place FROM {table} AS stored {rows}) WHERE place > 1)",
        parameters,
    ).fetchone()
    return int(row[0]) if row else 0
