"""Tables whose partitions are snapshots of all rows: which snapshot may be stored, and the views of snapshots.

Here: `ShrinkGuard`, and the views `<table>_current` (the last snapshot) and `<table>_history` (each row with the days
on which it was unchanged). Add here: another rule or view of snapshots.
Keep out: views of other tables (views.py), the commit that calls the guard (transaction.py).

Both views take the existing snapshots from the ledger, not from the rows, because a snapshot may have no rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from orgdata_dagster.warehouse.catalog import table_columns
from orgdata_dagster.warehouse.commit.target import PartitionLoad, Target
from orgdata_dagster.warehouse.errors import Refused
from orgdata_dagster.warehouse.names import OWN_PREFIX, PARTITION, TableName, folded, literal, quoted, unknown
from orgdata_dagster.warehouse.pages.stage import Stage


@dataclass(frozen=True)
class ShrinkGuard:
    """Refuses a snapshot that has lost too many rows, or that lacks a column of the key.

    limit: share of the last snapshot's rows that may be missing, from 0 to 1.
    remedy: the end of the message: how to store the snapshot anyway.
    """

    limit: float
    remedy: str

    def __call__(
        self, connection: duckdb.DuckDBPyConnection, target: Target, stage: Stage, load: PartitionLoad
    ) -> None:
        """Raise Refused if the staged rows of the load may not be stored."""
        pages = [staged.page for staged in stage.pages if staged.partition == load.partition]
        rows, columns = sum(page.records for page in pages), [name for page in pages for name in page.columns]
        last = _last(connection, target.table)
        before = f"the last snapshot ({last[0]}) has {last[1]} rows" if last else "there is no snapshot before it"
        known = {folded(name) for name in columns}
        if columns and (lost := [name for name in target.key if folded(name) not in known]):
            names = "; ".join(unknown(name, columns) for name in lost)
            raise Refused(f"{target.table}: `key`: {names} ({rows} rows; {before}). Nothing was stored. {self.remedy}")
        if last and rows < (1 - self.limit) * last[1]:
            raise Refused(
                f"{target.table}: the new snapshot has {rows} rows, {before}: it shrank by more than {self.limit:.0%}. "
                f"Nothing was stored, the old one stays. {self.remedy}"
            )


def make_views(connection: duckdb.DuckDBPyConnection, target: Target) -> None:
    """Create or replace both views for the present columns of the table."""
    columns = [name for name in table_columns(connection, target.table) if not name.startswith(OWN_PREFIX)]
    if not columns:
        return
    current, history = target.table.view("current"), target.table.view("history")
    connection.execute(f"CREATE OR REPLACE VIEW {current.sql} AS {_current(target.table)}")
    connection.execute(f"COMMENT ON VIEW {current.sql} IS {literal(f'The last snapshot in {target.table}.')}")
    connection.execute(f"CREATE OR REPLACE VIEW {history.sql} AS {_history(target.table, columns)}")
    text = (
        f"Every row that was ever in {target.table}, once per uninterrupted period in which it was unchanged. It is in "
        "the snapshots from valid_from up to, but not including, valid_to (NULL: it is in the last snapshot)."
    )
    connection.execute(f"COMMENT ON VIEW {history.sql} IS {literal(text)}")


def _last(connection: duckdb.DuckDBPyConnection, table: TableName) -> tuple[str, int] | None:
    """Partition and number of rows of the newest snapshot."""
    return connection.execute(
        f"SELECT partition_key, row_count FROM {_landed(table)} ORDER BY as_of DESC, loaded_at DESC LIMIT 1"
    ).fetchone()


def _landed(table: TableName) -> str:
    """SQL of the loads that stored snapshots of a table."""
    return (
        f"(SELECT * FROM _orgdata.loads WHERE schema_name = {literal(table.schema)} "
        f"AND table_name = {literal(table.name)} AND status = 'landed')"
    )


def _current(table: TableName) -> str:
    newest = f"SELECT max(partition_key) FROM {_landed(table)}"
    return f"SELECT * FROM {table.sql} WHERE {PARTITION} = ({newest})"


def _history(table: TableName, columns: Sequence[str]) -> str:
    """SQL of the history. Rows with equal columns are one version, with its snapshots and its number of copies in each.

    Grouping by all columns compares the values themselves: it needs no key, and two versions cannot collide as hashes
    could. A version that occurs twice in a snapshot has two rows for that period.
    """
    alike = ", ".join(map(quoted, columns))
    # not histogram(), whose maps take ten times the memory of the lists
    seen = "list_histogram(list(_orgdata_number))"
    taken = {folded(name) for name in columns}
    since, until = (f"{OWN_PREFIX}{name}" if name in taken else name for name in ("valid_from", "valid_to"))
    return f"""
WITH snapshots AS (
    SELECT partition_key AS _orgdata_day, row_number() OVER (ORDER BY partition_key) AS _orgdata_number
    FROM {_landed(table)} GROUP BY partition_key),
versions AS (
    SELECT {alike}, map_keys({seen}) AS _orgdata_in, CAST(map_values({seen}) AS BIGINT[]) AS _orgdata_copies
    FROM {table.sql} JOIN snapshots ON {PARTITION} = _orgdata_day GROUP BY {alike}),
edges AS (
    SELECT {alike}, unnest({_changes(-1)}) AS _orgdata_first, unnest({_changes(1)}) AS _orgdata_last
    FROM versions)
SELECT {alike}, CAST(first._orgdata_day AS DATE) AS {quoted(since)}, CAST(gone._orgdata_day AS DATE) AS {quoted(until)}
FROM edges JOIN snapshots AS first ON first._orgdata_number = _orgdata_first
LEFT JOIN snapshots AS gone ON gone._orgdata_number = _orgdata_last + 1"""


def _changes(step: int) -> str:
    """SQL of a list of the snapshots with more copies of a version than the previous (step -1) or next one (step 1).

    Each snapshot is listed once per additional copy. The list for step -1 contains the beginnings of uninterrupted
    periods, and the list for step 1 their ends in the same order.
    """
    neighbour = f"_orgdata_in[i + ({step})] = _orgdata_in[i] + ({step})"
    inside = "i > 1" if step < 0 else "i < len(_orgdata_in)"
    there = f"CASE WHEN {inside} AND {neighbour} THEN _orgdata_copies[i + ({step})] ELSE 0 END"
    more = f"greatest(0, _orgdata_copies[i] - {there})"
    return (
        f"flatten([list_resize(CAST([] AS BIGINT[]), {more}, _orgdata_in[i]) for i in range(1, len(_orgdata_in) + 1)])"
    )
