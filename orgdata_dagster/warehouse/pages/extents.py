"""The range of time that the rows of a page cover.

Here: `Extent`, `measure`, and queries for questions that an extent cannot answer. Add here: another such query.
Keep out: which rows of a page belong to a partition (partition_bounds.py), paging (a vendor's walk.py).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from orgdata_dagster.warehouse.errors import UnreadablePage
from orgdata_dagster.warehouse.names import quoted, unknown
from orgdata_dagster.warehouse.pages.column_names import ColumnNames
from orgdata_dagster.warehouse.pages.csv_pages import CsvPage, prepare
from orgdata_dagster.warehouse.pages.iso_instants import Numbers
from orgdata_dagster.warehouse.pages.json_pages import JsonPage
from orgdata_dagster.warehouse.pages.page import LARGE, Page
from orgdata_dagster.warehouse.pages.parser_errors import parsing
from orgdata_dagster.warehouse.pages.partition_bounds import above, below, within_sql
from orgdata_dagster.warehouse.storage.memory import with_room
from orgdata_dagster.warehouse.types.lossless import IN_PYTHON

UNITS = (timedelta(microseconds=1), timedelta(milliseconds=1), timedelta(seconds=1), timedelta(minutes=1))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_KEPT_INSTANTS = 100  # at each end of a page
_ZONE = re.compile(r":\d\d.*(?:Z|UTC|[+-]\d\d(?::?\d\d)?)$", re.IGNORECASE)


@dataclass(frozen=True)
class Extent:
    """The number of records of a page, and the instants in its cursor column.

    bottom: the lowest instants, in ascending order; at most 100.
    top: the highest instants, in descending order; at most 100.
    unit: the precision of the instants: the largest of microsecond, millisecond, second and minute that divides all.
    zoned: whether the instants are written with a time zone.
    """

    records: int
    bottom: tuple[datetime, ...] = ()
    top: tuple[datetime, ...] = ()
    unit: timedelta = UNITS[-1]
    zoned: bool = True

    @property
    def lowest(self) -> datetime | None:
        """The lowest instant."""
        return self.bottom[0] if self.bottom else None

    @property
    def highest(self) -> datetime | None:
        """The highest instant."""
        return self.top[0] if self.top else None

    def count_within(self, after: datetime | None, until: datetime | None) -> int | None:
        """Number of records with `after < instant <= until`; None if the known instants do not reach far enough."""
        if self.lowest is None or self.highest is None:
            return self.records
        if below(self.highest, after) or above(self.lowest, until) or (until is not None and below(until, after)):
            return 0
        too_low = sum(below(at, after) for at in self.bottom)
        too_high = sum(above(at, until) for at in self.top)
        if self.records > min(len(self.bottom), len(self.top)) and (
            too_low == len(self.bottom) or too_high == len(self.top)
        ):
            return None  # more instants may be out of bounds than were kept
        return self.records - too_low - too_high


def extent(connection: duckdb.DuckDBPyConnection, path: Path, cursor: str | None) -> tuple[CsvPage, Extent]:
    """Prepare a CSV body on disk as a page and measure it.

    Raises UnreadablePage if the parser finds another number of records than the file has, or if a cursor value is
    missing, not an instant, or more precise than a microsecond (such rows could not be ordered).
    """
    page = prepare(path, cursor)
    reach = measure(connection, page, cursor)
    return replace(page, instants=None), reach  # they are not needed any more


def measure(
    connection: duckdb.DuckDBPyConnection, page: Page, cursor: str | None, *, proven_later: bool = False
) -> Extent:
    """The extent of a page. Raises UnreadablePage like `extent`.

    proven_later: accept a large JSON page without parsing it, because the conversion of its rows will parse it.
    """
    name = page.path.name
    if cursor is not None and page.columns:
        own = ColumnNames(dict(zip(page.names, page.columns, strict=True)))
        found = own.find(cursor, page.columns)
        if found is None:
            # an error message with status 200 looks like a header without rows
            raise UnreadablePage(f"{unknown(cursor, page.columns)}: set cursor_column")
        cursor = found
    if page.records == 0:
        return Extent(0)
    known = None
    if isinstance(page, CsvPage) or (isinstance(page, JsonPage) and proven_later and page.records >= LARGE):
        known = page.instants
    if known is not None and known.size == page.records:
        return _extent_of(known)
    with parsing(name):
        records, dated, lowest, highest, finest, some, too_fine, example = _measured(connection, page, cursor)
    if records != page.records:
        raise UnreadablePage(f"{name} holds {page.records} records, but the parser read {records}")
    if cursor is None:
        return Extent(records)
    if dated != records or too_fine:
        raise UnreadablePage(
            f"{records - dated + too_fine} of {records} rows have no instant of the years 1 to 9999 and of at most "
            f"microseconds in {cursor!r} (for example {example!r}): is cursor_column right?"
        )
    return Extent(records, tuple(lowest), tuple(highest), UNITS[finest], _ZONE.search(some) is not None)


def count_within(
    connection: duckdb.DuckDBPyConnection, page: Page, cursor: str, after: datetime | None, until: datetime | None
) -> int:
    """Number of records with `after < instant <= until`: the records of the file minus those out of bounds.

    Raises UnreadablePage if the page turns out to be malformed: see `proven_later` of `measure`.
    """
    at = f"TRY_CAST({quoted(cursor)} AS TIMESTAMPTZ)"
    bounds = [None if bound is None else bound.isoformat() for bound in (after, until)]
    inside = within_sql(at, "CAST($1 AS TIMESTAMPTZ)", "CAST($2 AS TIMESTAMPTZ)")
    sql = f"SELECT count(*) FROM {page.reading([page]).source} WHERE NOT ({inside})"
    with parsing(page.path.name):
        row = connection.execute(sql, bounds).fetchone()
    return page.records - (row[0] if row else 0)


def rows_at(connection: duckdb.DuckDBPyConnection, page: Page, cursor: str, instant: datetime) -> Counter[Hashable]:
    """The rows of a page at one instant of its cursor column, each as a hash of all its values.

    Raises UnreadablePage like `count_within`.
    """
    rows = f"(SELECT * EXCLUDE (_orgdata_file) FROM {page.reading([page]).source})"
    at = f"TRY_CAST({quoted(cursor)} AS TIMESTAMPTZ) = CAST(? AS TIMESTAMPTZ)"
    with parsing(page.path.name):
        found = connection.execute(f"SELECT hash(row) FROM {rows} AS row WHERE {at}", [instant.isoformat()]).fetchall()
    return Counter(row[0] for row in found)


def _extent_of(known: Numbers) -> Extent:
    """The extent of records with these instants, in microseconds since 1970."""
    kept = min(_KEPT_INSTANTS, known.size)
    lowest = np.sort(np.partition(known, kept - 1)[:kept]).tolist()
    highest = np.sort(np.partition(known, known.size - kept)[-kept:])[::-1].tolist()
    unit = next(unit for unit in reversed(UNITS) if not (known % (unit // UNITS[0])).any())
    return Extent(known.size, tuple(map(_instant, lowest)), tuple(map(_instant, highest)), unit)


def _instant(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)


def _measured(connection: duckdb.DuckDBPyConnection, page: Page, cursor: str | None) -> tuple[Any, ...]:
    """Query the figures of a page.

    Returns: number of records; number of records with an instant; lowest instants; highest instants; index of the unit
    in UNITS; one cursor value; number of instants that are too precise; one value that is too precise or no instant.
    """
    source = page.reading([page]).source
    if cursor is None:
        return _one(connection, f"SELECT count(*), 0, NULL, NULL, 3, '', 0, NULL FROM {source}")
    raw = quoted(cursor)
    at = f"TRY_CAST({raw} AS TIMESTAMPTZ)"
    instant = f"CASE WHEN {at} {IN_PYTHON} THEN {at} END"
    instants = f"(SELECT {raw} AS raw, {instant} AS instant FROM {source})"
    finer = [f"max(CAST(epoch_us(instant) % {unit // UNITS[0]} <> 0 AS TINYINT))" for unit in UNITS[1:]]
    figures = (
        f"SELECT count(*), count(instant), min(instant, {_KEPT_INSTANTS}), max(instant, {_KEPT_INSTANTS}), "
        f"3 - ({' + '.join(finer)}), any_value(raw)"
    )
    # checking only the length is a third cheaper: `2026-01-02T03:04:05.123456Z` has no room for a seventh digit
    roomy = "strlen(raw) > 26 AND NOT (strlen(raw) = 27 AND ends_with(raw, 'Z'))"
    *found, odd = _one(connection, f"{figures}, count(*) FILTER ({roomy}) FROM {instants}")
    if not odd and found[0] == found[1]:
        return (*found, 0, None)
    too_fine = "(raw[20] = '.' AND raw[27] BETWEEN '0' AND '9')"  # a seventh digit; faster than a pattern
    return _one(
        connection,
        f"{figures}, count(*) FILTER ({too_fine}), any_value(raw) FILTER (instant IS NULL OR {too_fine}) "
        f"FROM {instants}",
    )


def _one(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[Any, ...]:
    row = with_room(connection, lambda: connection.execute(sql).fetchone())
    assert row is not None  # an aggregate
    return row
