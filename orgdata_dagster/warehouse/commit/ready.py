"""Rows that are converted for their table while the next page is still being fetched, so that the lock is held shorter.

Here: `ReadyRows`, typed rows in a table in memory that has the shape of the one they go to. They come to it by the same
plan and the same insert; the commit copies them if its own plan is the same, and reads the pages itself if not.
Keep out: what a row proves (stage.py), the transaction (transaction.py).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from contextlib import suppress

import duckdb

from orgdata_dagster.warehouse.catalog import columns_of
from orgdata_dagster.warehouse.commit import evolution
from orgdata_dagster.warehouse.commit.configured import resolved
from orgdata_dagster.warehouse.commit.inserting import Provenance, TypeSurprise, insert, origin_columns
from orgdata_dagster.warehouse.commit.merging import drop_duplicates_of_key
from orgdata_dagster.warehouse.commit.target import Target
from orgdata_dagster.warehouse.errors import RowCountMismatch
from orgdata_dagster.warehouse.names import OWN_PREFIX, PARTITION, TableName, literal, quoted
from orgdata_dagster.warehouse.pages.stage import Stage, StagedPage, grouped
from orgdata_dagster.warehouse.storage.connection import SCRATCH

_ENOUGH_RECORDS = 20_000  # fewer are quickly read from the pages by the commit itself
_numbers = itertools.count()


class ReadyRows:
    """The rows of one stage, which holds one partition; used by one thread at a time, like the stage."""

    def __init__(self, stage: Stage, target: Target) -> None:
        self.stage = stage
        self.partition: str | None = None
        self._target = target
        self._table = TableName(f"ready_{next(_numbers)}", target.table.name)
        self._plan: evolution.Evolution | None = None
        self._begun = False
        self._created = False
        self._given_up = False
        self._rows = 0
        self._duplicates = 0
        self._waiting: list[StagedPage] = []

    def add(self, staged: StagedPage) -> None:
        """Add a page to the stage, and convert its rows once there are enough of them.

        Raises as Stage.add does, and RowCountMismatch where rows are lost or too many.
        """
        self.stage.add(staged)
        self.partition = staged.partition
        self._waiting.append(staged)
        if sum(page.page.records for page in self._waiting) >= _ENOUGH_RECORDS and not self.stage.wide:
            self._take()

    def finish(self) -> None:
        """Make the rows ready that still wait, unless they are too few to begin with. For a merge each key is then
        there once: to delete of what a transaction has just inserted makes the database store all of it again."""
        if self._plan is not None:
            self._take()
        if self._plan is not None and self._target.write_disposition == "merge":
            target = resolved(self._target, self.stage, ())
            self._duplicates = drop_duplicates_of_key(self.stage.connection, target, self._table.sql)

    @property
    def begun(self) -> bool:
        """Whether any rows are ready."""
        return self._plan is not None

    def suit(self, planned: evolution.Evolution) -> bool:
        """Whether this plan would convert the pages to the same rows."""
        return self._plan is not None and _extends(planned, self._plan)

    @property
    def rows(self) -> int:
        """Number of rows read from the pages, duplicates included."""
        return self._rows

    @property
    def converted(self) -> int:
        """Number of converted rows."""
        return self._rows - self._duplicates

    @property
    def source(self) -> str:
        """SQL: the rows with their partition."""
        partition = "NULL" if self.partition is None else literal(self.partition)
        return f"SELECT *, CAST({partition} AS VARCHAR) AS {PARTITION} FROM {SCRATCH}.{self._table.sql}"

    def discard(self) -> None:
        """Free their memory."""
        self._plan, self._given_up = None, True
        if not self._begun:
            return
        with suppress(duckdb.Error):
            self.stage.connection.execute(f"DROP SCHEMA IF EXISTS {SCRATCH}.{quoted(self._table.schema)} CASCADE")

    def _take(self) -> None:
        waiting, self._waiting = self._waiting, []
        if self._given_up:
            return
        connection = self.stage.connection
        try:
            if self._plan is None:
                self._create()
            existing = columns_of(connection, self._table) if self._created else {}
            planned = evolution.plan(connection, self._table, self.stage, existing, own={})
            if self._plan and not _extends(planned, self._plan):
                raise TypeSurprise
            evolution.apply(connection, planned)
            self._plan, self._created = planned, True
            for group in grouped(waiting):
                self._rows += insert(connection, self._table, self.stage, group, planned, provenance=None)
        except (TypeSurprise, duckdb.OutOfMemoryException):
            self.discard()  # the commit reads the pages itself

    def _create(self) -> None:
        """Create the table with its present columns, if they are known; otherwise the plan creates it."""
        self._begun = True
        known = {name: kind for name, kind in self.stage.expected.items() if not name.startswith(OWN_PREFIX)}
        if known:
            for statement in evolution.creation(self._table, known):
                self.stage.connection.execute(statement)
            self._created = True


def move(
    connection: duckdb.DuckDBPyConnection, table: TableName, ready: Sequence[ReadyRows], provenance: Provenance
) -> int:
    """Copy the rows of some partitions into their table, with our own columns, all in one statement: the table's blocks
    are then filled once. Returns how many were read out of the pages, duplicates included.

    Raises RowCountMismatch if not all came.
    """
    if not ready:
        return 0
    sources = " UNION ALL BY NAME ".join(each.source for each in ready)
    row = connection.execute(
        f"INSERT INTO {table.sql} BY NAME SELECT *, {origin_columns()} FROM ({sources})", provenance
    ).fetchone()
    moved, expected = int(row[0]) if row else 0, sum(each.converted for each in ready)
    if moved != expected:
        raise RowCountMismatch(f"{table}: {expected} rows were ready, {moved} inserted; pull again.")
    return sum(each.rows for each in ready)


def _extends(later: evolution.Evolution, before: evolution.Evolution) -> bool:
    """Whether the later plan would have converted the same rows as the plan before."""
    return before.casts.items() <= later.casts.items() and before.converted.items() <= later.converted.items()
