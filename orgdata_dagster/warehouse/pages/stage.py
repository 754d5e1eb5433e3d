"""Staging: the pages of one table, as files, with everything that must be known about them before the commit.

Here: `Stage`, which takes pages as they arrive and infers the types that hold every value. The rows stay in the files
until the commit reads them in one query, so that memory use is constant.
Add here: a condition that a page must satisfy before it may land. Keep out: the tables (commit/evolution.py,
commit/transaction.py).
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path

import duckdb

from orgdata_dagster.warehouse.names import folded, literal, quoted
from orgdata_dagster.warehouse.pages.column_names import ColumnNames
from orgdata_dagster.warehouse.pages.page import Kinds, Page
from orgdata_dagster.warehouse.pages.parser_errors import parsing
from orgdata_dagster.warehouse.pages.text_pages import TextPage, parsed
from orgdata_dagster.warehouse.types import lossless
from orgdata_dagster.warehouse.types.column_types import BATCH, ColumnTypes, TypeTracker
from orgdata_dagster.warehouse.types.declared import canonical

_WIDE = 2 * BATCH  # columns
_ENOUGH_RECORDS = 4_000  # small pages are inspected together, until they have as many records


@dataclass(frozen=True)
class StagedPage:
    """A page and the part of it that lands.

    partition: where its rows land; None for a table without partitions.
    after, until: only rows with `after < cursor <= until` land; None means no bound.
    rows_within: number of these rows, if known.
    constants: column -> its value, as text, in all rows of the page. A column of the page itself takes precedence. All
        pages of a stage have the same constant columns.
    """

    page: Page
    partition: str | None = None
    after: datetime | None = None
    until: datetime | None = None
    rows_within: int | None = None
    constants: Mapping[str, str] = field(default_factory=dict)

    @property
    def bounded(self) -> bool:
        """Whether some of its rows may be outside its bounds."""
        return bool(self.after or self.until) and self.rows_within != self.page.records


@dataclass(frozen=True)
class Group:
    """Pages that are read in one query: see Reading."""

    columns: tuple[str, ...]
    source: str
    kinds: Mapping[str, Kinds]
    own: tuple[str, ...]
    files: tuple[Path, ...]
    pages: Sequence[StagedPage]

    @property
    def records(self) -> int:
        """Number of records of all pages."""
        return sum(staged.page.records for staged in self.pages)

    @cached_property
    def constants(self) -> tuple[str, ...]:
        """The constants that are not columns of the pages."""
        own = {folded(name) for name in self.columns}
        return tuple(name for name in self.pages[0].constants if folded(name) not in own)


def grouped(pages: Iterable[StagedPage]) -> list[Group]:
    """The pages that have rows, grouped by their layout."""
    layouts: dict[Hashable, list[StagedPage]] = {}
    for staged in pages:
        if staged.page.records:
            layouts.setdefault(staged.page.layout, []).append(staged)
    return [Group(*alike[0].page.reading([staged.page for staged in alike]), alike) for alike in layouts.values()]


class Stage:
    """The pages of one table for one commit. Only one thread may use it at a time.

    connection: a Warehouse.scratch_connection, or a cursor of one.
    cursor: name of the column whose instant decides where a row lands; None without one.
    declared: column -> the type that the user declared.
    expected: column -> the type that the table has now.
    names: the table's mapping from the vendor's names to columns.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        *,
        cursor: str | None = None,
        declared: Mapping[str, str] | None = None,
        expected: Mapping[str, str] | None = None,
        names: ColumnNames | None = None,
    ) -> None:
        self.cursor = cursor
        self.configured = {name: canonical(connection, kind) for name, kind in (declared or {}).items()}
        self.declared: dict[str, str] = {}
        self.names = names or ColumnNames(columns=expected or ())
        self.expected = dict(expected or {})
        self.pages: list[StagedPage] = []
        self.empty_columns: tuple[str, ...] = ()
        self.connection = connection
        self._files: list[Path] = []
        self._unseen: list[StagedPage] = []
        self._unseen_records = 0
        self._types = TypeTracker(connection, declared=self.declared, expected=self.expected)

    def add(self, staged: StagedPage) -> None:
        """Add a page to the commit. Raises UnreadablePage if it, or an earlier page, cannot be parsed."""
        staged = self._named(staged)
        if staged.page.records and len(staged.page.columns) > _WIDE:
            staged = replace(staged, page=self._parsed(staged.page))
        if not staged.page.records:
            self.empty_columns = self.empty_columns or staged.page.columns
        self.pages.append(staged)
        self._unseen.append(staged)
        self._unseen_records += staged.page.records
        if self._unseen_records >= _ENOUGH_RECORDS:
            self.inspect()

    def absorb(self, other: Stage) -> None:
        """Add the pages of another stage of this table, and the types inferred for them."""
        other.inspect()
        self.pages += other.pages
        self.empty_columns = self.empty_columns or other.empty_columns
        self.declared |= other.declared
        self._types.absorb(other._types)

    def inspect(self) -> None:
        """Infer the types of pages that were not inspected yet. Raises UnreadablePage if one cannot be parsed."""
        unseen, self._unseen, self._unseen_records = self._unseen, [], 0
        for group in self.grouped(unseen):
            self.declare([*group.columns, *group.constants])
            with parsing("a page"):
                self._types.see(group.source, group.columns, group.records, group.kinds)
            if group.constants:
                self._types.see(_values(group), group.constants, group.records)

    @property
    def exact(self) -> bool:
        """Whether the types in `columns` were inferred from every value, not only from a sample."""
        return self._types.exact

    @property
    def wide(self) -> bool:
        """Whether there are too many columns to check every cast in one statement, which would take too much memory.

        The types are then inferred from every value first, for some columns at a time.
        """
        return len(self.columns) > _WIDE

    def prove(self) -> None:
        """Make sure that the inferred types hold every value. Raises UnreadablePage if a page cannot be parsed."""
        self.inspect()
        with parsing("a page"):
            self._types.prove()

    def analyse(self) -> None:
        """Infer the types again from every value, after a type inferred from a sample did not hold.

        Raises UnreadablePage if a page cannot be parsed.
        """
        self.inspect()
        with parsing("a page"):
            self._types.analyse()

    def rename(self, names: ColumnNames) -> None:
        """Assign the pages' columns by another mapping of the table, and infer all types again."""
        self.names.become(names)
        self.declared = {}
        self._types = TypeTracker(self.connection, declared=self.declared, expected=self.expected)
        self.pages = [self._named(staged) for staged in self.pages]
        self._unseen = list(self.pages)
        self.inspect()

    @property
    def guessed(self) -> dict[str, str]:
        """Column -> the inferred type, for the columns with values. Stages of the same table may expect these types."""
        return {
            name: types.fits[0] if types.fits else lossless.TEXT
            for name, types in self.columns.items()
            if types.filled and self.declared_type(name) is None
        }

    def declared_type(self, column: str) -> str | None:
        """The type that the user declared for a column of the pages; None if there is none."""
        return self.declared.get(folded(column))

    def cursor_in(self, columns: Sequence[str]) -> str | None:
        """The one of these columns that is the cursor; None if there is none."""
        return None if self.cursor is None else self.names.find(self.cursor, columns)

    def declare(self, columns: Sequence[str]) -> None:
        """Record which of these columns have a type that the user declared."""
        for name, kind in self.configured.items():
            if (column := self.names.find(name, columns)) is not None:
                self.declared[folded(column)] = kind

    def _parsed(self, page: Page) -> Page:
        with parsing("a page"):
            return page if isinstance(page, TextPage) else parsed(self.connection, page)

    def _named(self, staged: StagedPage) -> StagedPage:
        return replace(staged, page=staged.page.assigned_to(self.names.assign(staged.page.names)))

    @property
    def columns(self) -> dict[str, ColumnTypes]:
        """Column -> its inferred types, for the pages that have rows."""
        self.inspect()
        return self._types.columns

    @property
    def records(self) -> int:
        """Number of records of all pages. A row that is on two pages counts twice."""
        return sum(staged.page.records for staged in self.pages)

    def groups(self, partitions: Collection[str | None]) -> list[Group]:
        """The pages of these partitions that have rows, grouped by their layout; wide pages are not grouped."""
        wanted = [staged for staged in self.pages if staged.partition in partitions]
        return [group for staged in wanted for group in self.grouped([staged])] if self.wide else self.grouped(wanted)

    def sample_row(self, column: str, data_type: str) -> dict[str, str | None]:
        """A row whose `column` does not survive as `data_type`, for a message; for text, any row with a value."""
        for group in self.grouped(self.pages):
            if folded(column) not in map(folded, group.columns):
                continue
            test = "true" if data_type == lossless.TEXT else f"NOT {lossless.survives(column, data_type)}"
            row = self.connection.execute(
                f"SELECT {', '.join(map(quoted, group.columns))} FROM {group.source} "
                f"WHERE {quoted(column)} IS NOT NULL AND {test} LIMIT 1"
            ).fetchone()
            if row:
                return dict(zip(group.columns, row, strict=True))
        return {}

    def discard(self) -> None:
        """Delete the pages' files, and free the memory of parsed pages."""
        for staged in self.pages:
            staged.page.path.unlink(missing_ok=True)
            if isinstance(staged.page, TextPage):
                staged.page.discard(self.connection)
        self.close_files()

    def close_files(self) -> None:
        """Delete the files that were written to read several pages in one query."""
        for path in self._files:
            path.unlink(missing_ok=True)
        self._files = []

    def grouped(self, pages: Iterable[StagedPage]) -> list[Group]:
        """The pages that have rows, grouped by their layout."""
        groups = grouped(pages)
        self._files += [path for group in groups for path in group.files]
        return groups


def _values(group: Group) -> str:
    """SQL of a relation with the constants of a group's pages."""
    rows = dict.fromkeys(tuple(staged.constants[name] for name in group.constants) for staged in group.pages)
    values = ", ".join(f"({', '.join(map(literal, row))})" for row in rows)
    return f"(VALUES {values}) AS constants({', '.join(map(quoted, group.constants))})"
