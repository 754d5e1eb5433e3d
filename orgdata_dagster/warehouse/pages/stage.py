"""Staging: the pages of one table on their way in, as files, with what must be known of them before the commit.

Here: `Stage`, which takes pages as they arrive, measures them and narrows down the types that hold every value. The
rows stay in the files until the commit reads them in one go, so memory stays flat.
Add here: what a page must prove before it may land. Keep out: the tables themselves (evolution.py, commit.py).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from orgdata_dagster.warehouse.errors import UnreadablePage
from orgdata_dagster.warehouse.excerpts import excerpt
from orgdata_dagster.warehouse.names import folded, literal, quoted, unknown
from orgdata_dagster.warehouse.pages.column_names import ColumnNames
from orgdata_dagster.warehouse.pages.csv_pages import CsvPage, prepare
from orgdata_dagster.warehouse.pages.page import Kinds, Page
from orgdata_dagster.warehouse.storage.memory import with_room
from orgdata_dagster.warehouse.types import lossless
from orgdata_dagster.warehouse.types.column_types import BATCH, ColumnTypes, TypeTracker
from orgdata_dagster.warehouse.types.declared import canonical

_TIES_COUNTED = 100
_WIDE = 2 * BATCH  # columns
UNITS = (timedelta(microseconds=1), timedelta(milliseconds=1), timedelta(seconds=1), timedelta(minutes=1))
_ZONE = re.compile(r":\d\d.*(?:Z|UTC|[+-]\d\d(?::?\d\d)?)$", re.IGNORECASE)
_ENOUGH_RECORDS = 4_000  # a look at fewer is not worth a query: small pages are looked at together
_MALFORMED = (duckdb.InvalidInputException, duckdb.ConversionException)


@dataclass(frozen=True)
class Extent:
    """How far a page reaches: its records, and the lowest and highest instant of its cursor column (None if empty).

    `at_lowest` records share the lowest instant (None: more than it was worth counting). `unit`: the largest of a
    microsecond, a millisecond, a second and a minute of which all instants are multiples. `zoned`: whether they say
    their zone."""

    records: int
    lowest: datetime | None = None
    highest: datetime | None = None
    at_lowest: int | None = None
    unit: timedelta = UNITS[-1]
    zoned: bool = True

    def kept(self, after: datetime | None, until: datetime | None) -> int | None:
        """How many records lie in `(after, until]`, as far as it can be told from here; else None."""
        if self.lowest is None or self.highest is None:
            return self.records
        if after is not None and self.highest <= after:
            return 0
        if until is not None and self.highest > until:
            return None
        if after is None or after < self.lowest:
            return self.records
        return self.records - self.at_lowest if after == self.lowest and self.at_lowest is not None else None


@dataclass(frozen=True)
class StagedPage:
    """A page with its place: of its rows those with `after < cursor <= until` (None: no bound) land in `partition`.

    `kept` is how many those are, where that is known. `constants`: columns that are the same in all its rows, as text;
    a column of the page itself goes before one of the same name. All pages of a stage have the same constants."""

    page: Page
    partition: str | None = None
    after: datetime | None = None
    until: datetime | None = None
    kept: int | None = None
    constants: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Group:
    """Pages that are read in one go: see Reading."""

    columns: tuple[str, ...]
    source: str
    kinds: Mapping[str, Kinds]
    pages: Sequence[StagedPage]

    @property
    def records(self) -> int:
        """Records on all of its pages."""
        return sum(staged.page.records for staged in self.pages)

    @property
    def constants(self) -> tuple[str, ...]:
        """The constants that are no columns of the pages."""
        own = {folded(name) for name in self.columns}
        return tuple(name for name in self.pages[0].constants if folded(name) not in own)


def grouped(pages: Iterable[StagedPage]) -> list[Group]:
    """The pages that have rows, by their layout."""
    layouts: dict[Hashable, list[StagedPage]] = {}
    for staged in pages:
        if staged.page.records:
            layouts.setdefault(staged.page.layout, []).append(staged)
    return [Group(*alike[0].page.reading([staged.page for staged in alike]), alike) for alike in layouts.values()]


def extent(connection: duckdb.DuckDBPyConnection, path: Path, cursor: str | None) -> tuple[CsvPage, Extent]:
    """Make a CSV body on disk a page and measure it with the parser that will load it.

    Raises UnreadablePage where the parser sees another number of records than the file has, or where a cursor value is
    missing, no instant, or finer than a microsecond (it could not be ordered).
    """
    page = prepare(path)
    return page, measure(connection, page, cursor)


def measure(connection: duckdb.DuckDBPyConnection, page: Page, cursor: str | None) -> Extent:
    """How far a page reaches, by the parser that will load it. Raises UnreadablePage as `extent` does."""
    name = page.path.name
    if cursor is not None and page.columns:
        own = ColumnNames(dict(zip(page.names, page.columns, strict=True)))
        found = own.find(cursor, page.columns)
        if found is None:
            # an error text with status 200 looks like a header without rows
            raise UnreadablePage(f"{unknown(cursor, page.columns)}: set cursor_column")
        cursor = found
    if page.records == 0:
        return Extent(0)
    try:
        records, instants, lowest, highest, finest, some, too_fine, example = _measured(connection, page, cursor)
    except _MALFORMED as error:
        raise UnreadablePage(f"{name} is not well-formed: {_first_lines(error)}") from None
    if records != page.records:
        raise UnreadablePage(f"{name} holds {page.records} records, but the parser read {records}")
    if cursor is None:
        return Extent(records)
    if instants != records or too_fine:
        raise UnreadablePage(
            f"{records - instants + too_fine} of {records} rows have no instant of at most microseconds in {cursor!r} "
            f"(for example {example!r}): is cursor_column right?"
        )
    at_lowest = lowest.count(lowest[0])
    counted = at_lowest if at_lowest < _TIES_COUNTED else None
    return Extent(records, lowest[0], highest, counted, UNITS[finest], _ZONE.search(some) is not None)


def rows_at(connection: duckdb.DuckDBPyConnection, page: Page, cursor: str, instant: datetime) -> Counter[Hashable]:
    """The rows of a page at an instant of its cursor column, as hashes of all that they hold."""
    rows = f"(SELECT * EXCLUDE (_orgdata_file) FROM {page.reading([page]).source})"
    at = f"TRY_CAST({quoted(cursor)} AS TIMESTAMPTZ) = CAST(? AS TIMESTAMPTZ)"
    found = connection.execute(f"SELECT hash(row) FROM {rows} AS row WHERE {at}", [instant.isoformat()]).fetchall()
    return Counter(row[0] for row in found)


def _measured(connection: duckdb.DuckDBPyConnection, page: Page, cursor: str | None) -> tuple[Any, ...]:
    """Records, those with an instant, the lowest instants, the highest, those too fine, an odd example."""
    source = page.reading([page]).source
    if cursor is None:
        return _one(connection, f"SELECT count(*), 0, NULL, NULL, 3, '', 0, NULL FROM {source}")
    raw = quoted(cursor)
    instants = f"(SELECT {raw} AS raw, TRY_CAST({raw} AS TIMESTAMPTZ) AS instant FROM {source})"
    finer = [f"max(CAST(epoch_us(instant) % {unit // UNITS[0]} <> 0 AS TINYINT))" for unit in UNITS[1:]]
    figures = (
        f"SELECT count(*), count(instant), min(instant, {_TIES_COUNTED}), max(instant), "
        f"3 - ({' + '.join(finer)}), any_value(raw)"
    )
    # by its length alone, a third cheaper: `2026-01-02T03:04:05.123456Z` has no room for a seventh digit
    roomy = "strlen(raw) > 26 AND NOT (strlen(raw) = 27 AND ends_with(raw, 'Z'))"
    *found, odd = _one(connection, f"{figures}, count(*) FILTER ({roomy}) FROM {instants}")
    if not odd and found[0] == found[1]:
        return (*found, 0, None)
    too_fine = "(raw[20] = '.' AND raw[27] BETWEEN '0' AND '9')"  # a seventh digit; by place, a pattern takes longer
    return _one(
        connection,
        f"{figures}, count(*) FILTER ({too_fine}), any_value(raw) FILTER (instant IS NULL OR {too_fine}) "
        f"FROM {instants}",
    )


def _one(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[Any, ...]:
    row = with_room(connection, lambda: connection.execute(sql).fetchone())
    assert row is not None  # an aggregate
    return row


class Stage:
    """The pages of one table for one commit; used by one thread at a time.

    `connection`: a Warehouse.scratch_connection, or a cursor of one. `cursor`: the column whose instants place a row,
    where the vendor has one. `declared`: types given by a person. `expected`: the types that the table has now.
    `names`: what is known of the vendor's names.
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
        self._unseen: list[StagedPage] = []
        self._types = TypeTracker(connection, declared=self.declared, expected=self.expected)

    def add(self, staged: StagedPage) -> None:
        """Take a page in: from now on it is part of the commit. Raises UnreadablePage where one does not parse."""
        staged = self._named(staged)
        if not staged.page.records:
            self.empty_columns = self.empty_columns or staged.page.columns
        self.pages.append(staged)
        self._unseen.append(staged)
        if sum(staged.page.records for staged in self._unseen) >= _ENOUGH_RECORDS:
            self.look()

    def look(self) -> None:
        """Guess the types of the pages not yet looked at. Raises UnreadablePage where one does not parse."""
        unseen, self._unseen = self._unseen, []
        for group in grouped(unseen):
            self.declare([*group.columns, *group.constants])
            try:
                self._types.see(group.source, group.columns, group.records, group.kinds)
            except _MALFORMED as error:
                raise UnreadablePage(f"a page is not well-formed: {_first_lines(error)}") from None
            if group.constants:
                self._types.see(_values(group), group.constants, group.records)

    @property
    def exact(self) -> bool:
        """Whether `columns` holds for every value, or is a guess from a sample."""
        return self._types.exact

    @property
    def wide(self) -> bool:
        """Whether there are so many columns that checking each value while it is cast would take too much memory in one
        statement: the types are then to be found from every value first, some columns at a time."""
        return len(self.columns) > _WIDE

    def prove(self) -> None:
        """Make sure that the guessed types hold every value, before they are used."""
        self.look()
        self._types.prove()

    def analyse(self) -> None:
        """Find the types from every value, because a guess did not hold."""
        self.look()
        self._types.analyse()

    def rename(self, names: ColumnNames) -> None:
        """Give the pages the columns that another memory of the table knows, and forget all else about them."""
        self.names.become(names)
        self.declared = {}
        self._types = TypeTracker(self.connection, declared=self.declared, expected=self.expected)
        self.pages = [self._named(staged) for staged in self.pages]
        self._unseen = list(self.pages)
        self.look()

    def declared_type(self, column: str) -> str | None:
        """The type that a person declared for a column of the pages."""
        return self.declared.get(folded(column))

    def cursor_in(self, columns: Sequence[str]) -> str | None:
        """Which of these columns is the cursor."""
        return None if self.cursor is None else self.names.find(self.cursor, columns)

    def declare(self, columns: Sequence[str]) -> None:
        """Note which of these columns have a type that a person declared."""
        for name, kind in self.configured.items():
            if (column := self.names.find(name, columns)) is not None:
                self.declared[folded(column)] = kind

    def _named(self, staged: StagedPage) -> StagedPage:
        return replace(staged, page=staged.page.assigned_to(self.names.assign(staged.page.names)))

    @property
    def columns(self) -> dict[str, ColumnTypes]:
        """What is known of every column of the pages that have rows."""
        self.look()
        return self._types.columns

    @property
    def records(self) -> int:
        """Records on all pages; a row that two pages share counts twice."""
        return sum(staged.page.records for staged in self.pages)

    def groups(self, partitions: Collection[str | None]) -> list[Group]:
        """The pages of these partitions that have rows, by their layout; one by one where they are wide."""
        wanted = [staged for staged in self.pages if staged.partition in partitions]
        return [group for staged in wanted for group in grouped([staged])] if self.wide else grouped(wanted)

    def sample_row(self, column: str, data_type: str) -> dict[str, str | None]:
        """A row whose `column` does not survive as `data_type` (any filled one for text), to show to a person."""
        for group in grouped(self.pages):
            if folded(column) not in map(folded, group.columns):
                continue
            test = "true" if data_type == lossless.TEXT else f"NOT {lossless.survives(column, data_type)}"
            row = self.connection.execute(
                f"SELECT * EXCLUDE (_orgdata_file) FROM {group.source} WHERE {quoted(column)} IS NOT NULL AND {test} "
                "LIMIT 1"
            ).fetchone()
            if row:
                return dict(zip(group.columns, row, strict=True))
        return {}

    def discard(self) -> None:
        """Delete the pages' files."""
        for staged in self.pages:
            staged.page.path.unlink(missing_ok=True)


def _values(group: Group) -> str:
    """SQL that yields the constants of a group's pages."""
    rows = dict.fromkeys(tuple(staged.constants[name] for name in group.constants) for staged in group.pages)
    values = ", ".join(f"({', '.join(map(literal, row))})" for row in rows)
    return f"(VALUES {values}) AS constants({', '.join(map(quoted, group.constants))})"


def _first_lines(error: Exception) -> str:
    return excerpt(" ".join(str(error).split("\n")[:2]), 300)
