"""Readers, which turn a client's download into a page of the warehouse.

Here: `MeasuredPage`, and the readers for CSV and JSON. Keep out: paging rules, and landing pages (landing.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import duckdb

from orgdata_dagster.http.errors import BadBody
from orgdata_dagster.http.records import Download
from orgdata_dagster.http.redaction import excerpt
from orgdata_dagster.warehouse.errors import UnreadablePage
from orgdata_dagster.warehouse.pages import json_pages
from orgdata_dagster.warehouse.pages.extents import Extent, count_within, extent, measure, rows_at
from orgdata_dagster.warehouse.pages.page import Page


@dataclass(frozen=True)
class MeasuredPage:
    """A download that is a well-formed page: its file, its number of records, and the range of their instants."""

    download: Download
    page: Page
    extent: Extent
    rows_at: Callable[[datetime], Counter[Hashable]] = field(repr=False, compare=False)
    """Returns the rows at an instant as a multiset of hashes; only used for the few pages that must be compared."""
    count: Callable[[datetime | None, datetime | None], int] = field(repr=False, compare=False)
    """Counts the records with `after < instant <= until` with a query; only used if the extent is not sufficient."""

    @property
    def records(self) -> int:
        return self.extent.records

    @property
    def lowest(self) -> datetime | None:
        return self.extent.lowest

    @property
    def highest(self) -> datetime | None:
        return self.extent.highest

    def count_within(self, after: datetime | None, until: datetime | None) -> int:
        """Number of records with `after < instant <= until`."""
        known = self.extent.count_within(after, until)
        return self.count(after, until) if known is None else known

    @property
    def unit(self) -> timedelta:
        return self.extent.unit

    @property
    def zoned(self) -> bool:
        return self.extent.zoned


def csv_reader(connection: duckdb.DuckDBPyConnection, cursor: str | None) -> Callable[[Download], MeasuredPage]:
    """A CSV reader for HttpClient.fetch. It raises BadBody for a malformed page, which the client requests again."""

    def read(download: Download) -> MeasuredPage:
        try:
            # its own cursor, because several threads read at the same time
            page, reach = extent(connection.cursor(), download.path, cursor)
        except UnreadablePage as error:
            raise BadBody(str(error)) from None
        return _measured(connection, download, page, reach, cursor)

    return read


def _measured(
    connection: duckdb.DuckDBPyConnection, download: Download, page: Page, reach: Extent, cursor: str | None
) -> MeasuredPage:
    def there(instant: datetime) -> Counter[Hashable]:
        return rows_at(connection.cursor(), page, cursor, instant) if cursor and page.records else Counter()

    def count(after: datetime | None, until: datetime | None) -> int:
        return count_within(connection.cursor(), page, cursor, after, until) if cursor else page.records

    return MeasuredPage(download, page, reach, there, count)


def json_reader(
    connection: duckdb.DuckDBPyConnection,
    *,
    cursor: str | None = None,
    records: str = json_pages.ARRAY,
    flatten: Collection[str] = (),
    expected: Collection[str] = (),
    key: Sequence[str] = (),
    proven_later: bool = False,
) -> Callable[[Download], MeasuredPage]:
    """Like `csv_reader`, for JSON; see json_pages.prepare.

    expected: if the records have none of these columns, the reader raises BadBody, because an error with status 200 may
        look like a record.
    proven_later: see extents.measure.
    """

    def read(download: Download) -> MeasuredPage:
        try:
            page = json_pages.prepare(
                download.path,
                connection,
                records=records,
                flatten=flatten,
                cursor=cursor,
                content=download.content,
            )
            page = page.with_key(key)
            if expected and page.records and not {*expected} & {*page.columns}:
                has = excerpt(", ".join(page.columns), 200) or "nothing"
                wanted = excerpt(", ".join(expected), 200)
                raise UnreadablePage(f"none of the columns {wanted} is there; the answer has {has}")
            if cursor or not page.parsed:
                reach = measure(connection.cursor(), page, cursor, proven_later=proven_later)
            else:  # the number of records is sufficient, and it is known
                reach = Extent(page.records)
            page = replace(page, instants=None)  # they are not needed any more
        except UnreadablePage as error:
            raise BadBody(str(error)) from None
        return _measured(connection, download, page, reach, cursor)

    return read
