"""Recognising, reading and migrating ledgers of the previous version of orgdata.

Here: what that version lacked, and what it stored elsewhere. Remove here: code for versions that nobody uses any more.
Keep out: the current tables (schema.py).

That version had no `_orgdata.state`. It recorded the last full walk of a table of octolis only as the end of the first
interval of its coverage, and the settings of views in a table of its own, `_orgdata.views`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import duckdb

_LATER_TABLES = {"columns", "state"}
_LATER_COLUMNS = {("loads", "replaced_characters"), ("loads", "commit_seconds"), ("coverage", "proof")}

STATE = """(
    SELECT schema_name, table_name, 'last_full_walk' AS key, CAST(min(to_instant) AS VARCHAR) AS value,
        max(recorded_at) AS updated_at
    FROM _orgdata.coverage WHERE schema_name = 'octolis'
    GROUP BY ALL HAVING arg_min(complete, from_instant))"""
"""SQL of the rows of `_orgdata.state` that follow from the previous version's coverage."""


def made(found: Mapping[str, int]) -> bool:
    """Whether the previous version made these tables of `_orgdata` (name -> number of columns)."""
    return "views" in found and "state" not in found


def part_of(definition: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """The part of the ledger's definition (table -> column -> type) that the previous version had."""
    return {
        table: {name: kind for name, kind in columns.items() if (table, name) not in _LATER_COLUMNS}
        for table, columns in definition.items()
        if table not in _LATER_TABLES
    }


def migrate(connection: duckdb.DuckDBPyConnection, complete: Callable[[], object]) -> None:
    """Migrate the ledger in the caller's transaction.

    complete: called to add the missing tables and columns.

    The next commit to a table recreates its views.
    """
    complete()
    connection.execute(f"INSERT INTO _orgdata.state BY NAME FROM {STATE}")
    connection.execute("DROP TABLE _orgdata.views")
