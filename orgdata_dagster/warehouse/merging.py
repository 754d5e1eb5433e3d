"""Merging by key: which rows stay, of those that a commit brought and those that were stored.

Here: `merge` for tables with one row a key, `keep_newest` for partitions that hold versions. Both run in the commit's
transaction, behind the insert; the rows that came with it bear its instant `now`. Add here: another rule of that kind.
Keep out: inserting (commit.py).

A row that comes again as it is stored stays untouched: whoever follows `_orgdata_loaded_at` sees changes, not pulls.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import duckdb

from orgdata_dagster.warehouse.evolution import table_columns
from orgdata_dagster.warehouse.names import LOADED_AT, OWN_PREFIX, PARTITION, quoted

if TYPE_CHECKING:
    from orgdata_dagster.warehouse.commit import Target


def merge(connection: duckdb.DuckDBPyConnection, target: Target, now: datetime, whole: Sequence[str | None]) -> None:
    """Keep one row a key: what was brought, unless what is stored is the same or has a later cursor.

    `whole`: partitions of which everything there is was brought, so that stored rows that did not come again are gone.
    """
    columns = [name for name in table_columns(connection, target.table) if not name.startswith(OWN_PREFIX)]
    if not {*target.key} <= {*columns}:
        return  # nothing but empty pages so far
    table, before = target.table.sql, f"{LOADED_AT} < CAST(? AS TIMESTAMPTZ)"
    keep_newest(connection, target, now, among_brought=True)
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


def keep_newest(
    connection: duckdb.DuckDBPyConnection, target: Target, now: datetime, *, among_brought: bool = False
) -> None:
    """Of every key that this commit brought keep the newest version in its partition (in the table, for a merge)."""
    table = target.table.sql
    scope = [*target.key, PARTITION] if target.write_disposition == "replace" else list(target.key)
    keys = ", ".join(map(quoted, scope))
    if among_brought:
        rows = f"{table} AS stored WHERE {LOADED_AT} = ?"
        if not _has_twins(connection, keys, rows, now):
            return
    else:
        same = " AND ".join(f"stored.{quoted(name)} IS NOT DISTINCT FROM brought.{quoted(name)}" for name in scope)
        brought = f"(SELECT DISTINCT {keys} FROM {table} WHERE {LOADED_AT} = ?) AS brought"
        rows = f"{table} AS stored SEMI JOIN {brought} ON {same}"
    versions = f"CAST(stored.{quoted(target.cursor)} AS TIMESTAMPTZ) DESC NULLS LAST, " if target.cursor else ""
    connection.execute(
        f"DELETE FROM {table} WHERE rowid IN (SELECT id FROM (SELECT stored.rowid AS id, row_number() OVER ("
        f"PARTITION BY {', '.join(f'stored.{quoted(name)}' for name in scope)} "
        f"ORDER BY {versions}stored.{LOADED_AT} DESC) AS place FROM {rows}) WHERE place > 1)",
        [now],
    )


def _has_twins(connection: duckdb.DuckDBPyConnection, keys: str, rows: str, now: datetime) -> bool:
    """Whether a key came twice. Asked first, since it is far cheaper than numbering the versions of every key."""
    row = connection.execute(f"SELECT count(*) > count(DISTINCT ({keys})) FROM {rows}", [now]).fetchone()
    return bool(row and row[0])
