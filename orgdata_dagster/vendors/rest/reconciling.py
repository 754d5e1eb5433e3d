"""Reconciliation of a table with the vendor's own number of rows.

Here: the check `total_items`, for lists whose answers have a total. It runs after every pull. Keep out: pulls
(pulling.py).

Rows change between two pulls, so the two numbers need not be equal. The table must have at least the rows that have not
changed since it was complete, and at most those plus the rows that have changed since.
"""

from collections.abc import Sequence
from datetime import datetime

import dagster as dg

from orgdata_dagster.counting import counted
from orgdata_dagster.orchestration.automation.gaps import Coverage
from orgdata_dagster.orchestration.checks.results import not_yet
from orgdata_dagster.vendors.base.reconciliation import Reconciliation
from orgdata_dagster.vendors.rest.client import RestClient
from orgdata_dagster.vendors.rest.list_settings import RestList
from orgdata_dagster.warehouse.ledger.intervals import Interval, joined
from orgdata_dagster.warehouse.names import TableName, quoted
from orgdata_dagster.warehouse.storage.connection import Warehouse

TOTAL_CHECK = "total_items"


def reconciliation_of(table: TableName, source: RestList) -> Reconciliation:
    """The comparison of one list. It costs two requests; without filters, one."""
    vendor = table.schema

    def compare(client: RestClient, warehouse: Warehouse, coverage: Coverage) -> dg.AssetCheckResult:
        known = [part for parts in coverage.values() for part in parts if part.complete]
        if not known:
            why = f"no partition is complete; pull it: `orgdata pull {vendor}/{table.name}`"
            return dg.AssetCheckResult(passed=True, description=not_yet(why))
        begin, until = _last_range(known)
        unchanged, later = _counts(client, source, begin, until)
        rows = _rows(warehouse, table, source, begin, until)
        filtered = source.cursor is not None
        return dg.AssetCheckResult(
            passed=unchanged <= rows <= unchanged + later,
            severity=dg.AssetCheckSeverity.ERROR,
            description=f"{_time(begin, until) if filtered else 'In all'}, {vendor} counts "
            f"{counted(unchanged, 'row')}, and {later} that changed since; the table has {rows}.",
            metadata={vendor: unchanged, "changed_since": later, "table": rows},
        )

    return Reconciliation(TOTAL_CHECK, f"The table has as many rows as {vendor}.", compare)


def _last_range(known: Sequence[Interval]) -> tuple[datetime, datetime]:
    """The last range without a gap: days that were never pulled cannot be compared."""
    last = joined(known)[-1]
    return last.start.replace(microsecond=0), last.end.replace(microsecond=0)


def _counts(client: RestClient, source: RestList, begin: datetime, until: datetime) -> tuple[int, int]:
    """The vendor's number of rows in `[begin, until)`, and of rows that changed later."""
    listing, filters = source.listing, source.filters
    if filters is None or filters.column is None:
        return client.peek(listing)[1] or 0, 0
    if filters.has_end:
        unchanged = client.peek(filters.within(listing, begin, until))[1] or 0
        return unchanged, client.peek(filters.within(listing, until, None))[1] or 0
    later = client.peek(filters.within(listing, until, None))[1] or 0
    return max(0, (client.peek(filters.within(listing, filters.initial, None))[1] or 0) - later), later


def _rows(warehouse: Warehouse, table: TableName, source: RestList, begin: datetime, until: datetime) -> int:
    """The table's number of rows in `[begin, until)`."""
    held, bounds = f"SELECT count(*) FROM {table.sql}", list[datetime]()
    if source.cursor:
        at = f"CAST({quoted(source.cursor)} AS TIMESTAMPTZ)"
        held, bounds = f"{held} WHERE {at} >= ? AND {at} < ?", [begin, until]
    with warehouse.reading() as connection:
        [rows] = connection.execute(held, bounds).fetchone() or (0,)
    return int(rows)


def _time(begin: datetime, until: datetime) -> str:
    return f"From {begin:%Y-%m-%d %H:%M:%S} to {until:%Y-%m-%d %H:%M:%S}"
