"""Rows that are converted to the types of their table before the commit, while the next page is still being fetched.

Here: `ReadyRows`, typed rows in a table in memory with the same columns as their target. They are made with the same
plan and the same insert as in the commit. The commit copies them if its own plan is the same, and otherwise reads the
pages itself. It therefore holds the write lock for a shorter time.
Keep out: checks of pages (pages/stage.py), the transaction (transaction.py).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import duckdb

from orgdata_dagster.warehouse.catalog import columns_of
from orgdata_dagster.warehouse.commit import evolution, key_types
from orgdata_dagster.warehouse.commit.configured_columns import resolved
from orgdata_dagster.warehouse.commit.inserting import Provenance, TypeSurprise, insert, origin_columns
from orgdata_dagster.warehouse.commit.merging import drop_duplicates_of_key
from orgdata_dagster.warehouse.commit.target import Target
from orgdata_dagster.warehouse.errors import RowCountMismatch
from orgdata_dagster.warehouse.names import KEY_TYPES, OWN_PREFIX, PARTITION, TableName, literal, quoted
from orgdata_dagster.warehouse.pages.page import LARGE
from orgdata_dagster.warehouse.pages.stage import Stage, StagedPage
from orgdata_dagster.warehouse.storage.connection import SCRATCH
from orgdata_dagster.warehouse.storage.memory import is_short

AT_ONCE = 2  # large pages per statement: each statement costs as much as some thousand rows

_numbers = itertools.count()


class ReadyRows:
    """The converted rows of one stage, which contains one partition. Only one thread may use it at a time.

    table: the table with the rows. There is one: in a commit with two threads, DuckDB needs twice as long to copy the
        rows of several small tables.
    """

    def __init__(self, stage: Stage, target: Target) -> None:
        self.stage = stage
        self.partition: str | None = None
        self.table = TableName(f"ready_{next(_numbers)}", target.table.name)
        self._target = target
        self._plan: evolution.Evolution | None = None
        self._begun = False
        self._created = False
        self._given_up = False
        self._finished = False
        self._rows = 0
        self._duplicates = 0
        self._waiting: list[StagedPage] = []
        self._waiting_records = 0

    def add(self, staged: StagedPage) -> None:
        """Add a page to the stage, and convert its rows once there are enough of them for one statement.

        Raises the errors of Stage.add, UnreadablePage if a page turns out to be malformed, and RowCountMismatch if rows
        are missing or too many.
        """
        self.stage.add(staged)
        self.partition = staged.partition
        self._waiting.append(staged)
        self._waiting_records += staged.page.records
        if self._waiting_records >= AT_ONCE * LARGE and not self.stage.wide:
            self._take()

    def finish(self) -> None:
        """Convert the remaining rows after the last page. Further calls do nothing.

        If there are few rows in total, they stay in the pages, from which the commit reads them quickly.

        For a merge, also drop duplicates of a key: deleting rows that a transaction has just inserted would make DuckDB
        store all of them again.

        Raises UnreadablePage and RowCountMismatch like `add`.
        """
        if self._finished:
            return
        self._finished = True
        if self._plan is not None or (self._waiting_records >= LARGE and not self.stage.wide):
            self._take()
        if self._plan is not None and self._target.write_disposition == "merge":
            connection = self.stage.connection
            target = resolved(self._target, self.stage, columns_of(connection, self.table))
            target = key_types.with_types(target, self._plan.casts)
            with self._unless_surprised():
                self._duplicates = drop_duplicates_of_key(connection, target, self.table.sql)

    @property
    def key(self) -> tuple[str, ...]:
        """The configured key of the table."""
        return self._target.key

    @property
    def begun(self) -> bool:
        """Whether any rows were converted."""
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
        """SQL of the converted rows with their partition."""
        partition = "NULL" if self.partition is None else literal(self.partition)
        return f"SELECT *, CAST({partition} AS VARCHAR) AS {PARTITION} FROM {SCRATCH}.{self.table.sql}"

    def discard(self) -> None:
        """Free the memory of the rows, and convert no more."""
        self._plan, self._given_up = None, True
        if not self._begun:
            return
        with suppress(duckdb.Error):
            self.stage.connection.execute(f"DROP SCHEMA IF EXISTS {SCRATCH}.{quoted(self.table.schema)} CASCADE")

    def _take(self) -> None:
        waiting, self._waiting, self._waiting_records = self._waiting, [], 0
        if self._given_up:
            return
        connection = self.stage.connection
        with self._unless_surprised():
            if self._plan is None:
                self._create()
            existing = columns_of(connection, self.table) if self._created else {}
            planned = evolution.plan(connection, self.table, self.stage, existing, own={})
            key_types.plan(connection, self._target, self.table, self.stage, existing, planned)
            if self._plan and not _extends(planned, self._plan):
                raise TypeSurprise
            evolution.apply(connection, planned)
            self._plan, self._created = planned, True
            for group in self.stage.grouped(waiting):
                self._rows += insert(connection, self.table, self.stage, group, planned, provenance=None)

    @contextmanager
    def _unless_surprised(self) -> Iterator[None]:
        """Discard the rows if a value does not fit its type or memory is short: the commit then reads the pages."""
        try:
            yield
        except TypeSurprise:
            self.discard()
        except duckdb.Error as error:
            if not is_short(error):
                raise
            self.discard()

    def _create(self) -> None:
        """Create the table with the target's columns, if they are known; otherwise the plan creates it."""
        self._begun = True
        known = {
            name: kind
            for name, kind in self.stage.expected.items()
            if not name.startswith(OWN_PREFIX) or name == KEY_TYPES
        }
        if known:
            for statement in evolution.creation(self.table, known):
                self.stage.connection.execute(statement)
            self._created = True


def move(
    connection: duckdb.DuckDBPyConnection, table: TableName, ready: Sequence[ReadyRows], provenance: Provenance
) -> int:
    """Copy the converted rows of some partitions into their table, with our own columns.

    One statement copies all of them, so that the table's blocks are filled only once.

    Returns the number of rows read from the pages, duplicates included.

    Raises RowCountMismatch if rows are missing.
    """
    if not ready:
        return 0
    sources = " UNION ALL BY NAME ".join(each.source for each in ready)
    row = connection.execute(
        f"INSERT INTO {table.sql} BY NAME SELECT *, {origin_columns()} FROM ({sources})", provenance
    ).fetchone()
    moved, expected = int(row[0]) if row else 0, sum(each.converted for each in ready)
    if moved != expected:
        raise RowCountMismatch(f"{table}: {expected} rows were converted, but {moved} were inserted; pull again.")
    return sum(each.rows for each in ready)


def _extends(later: evolution.Evolution, before: evolution.Evolution) -> bool:
    """Whether the later plan would have converted the same rows as the plan before."""
    if (KEY_TYPES in before.casts) is not (KEY_TYPES in later.casts):
        return False
    return before.casts.items() <= later.casts.items() and before.converted.items() <= later.converted.items()
