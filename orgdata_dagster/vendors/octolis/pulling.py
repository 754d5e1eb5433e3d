"""One pull of a dataset: which records to request, and what the answer proves.

Here: one pull, and the comparison with the vendor's count. Keep out: paging (walk.py), what a run does if the counts
differ (rounds.py), when the last full walk was (warehouse/ledger/state.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg
import duckdb

from orgdata_dagster.counting import counted
from orgdata_dagster.orchestration.assets.contradictions import REPETITIONS, contradiction, keep_stored, shrank
from orgdata_dagster.orchestration.assets.full_walks import full_walk_is_due, last_full_walk
from orgdata_dagster.orchestration.assets.intake import Intake, Pulled
from orgdata_dagster.orchestration.assets.prefetch import ahead
from orgdata_dagster.vendors.octolis.client import MODIFIED_AT, OctolisClient, Query
from orgdata_dagster.vendors.octolis.merges import apply_merges
from orgdata_dagster.warehouse.catalog import table_columns
from orgdata_dagster.warehouse.commit.target import Target
from orgdata_dagster.warehouse.ledger.intervals import EVER, Interval, intervals
from orgdata_dagster.warehouse.ledger.state import LAST_FULL_WALK
from orgdata_dagster.warehouse.names import TableName, quoted
from orgdata_dagster.warehouse.storage.connection import Warehouse

COUNT_CHECK = "count"
RECORDS = "records"  # the envelope's array


@dataclass(frozen=True)
class ReadOptions:
    """How a dataset is read.

    lookback: how long after its `__modified_at__` a record may become visible.
    full_walk_every: the time between full walks, which are needed because a SQL dataset may change records without a
        new `__modified_at__`; None: no full walks.
    page_size: records per page, at most.
    """

    lookback: timedelta
    full_walk_every: timedelta | None
    page_size: int


@dataclass
class Counts:
    """The number of records at the vendor and in the table after a pull, and the merges found by the pull."""

    vendor: int | None = None
    table: int | None = None
    merges: int = 0

    @property
    def agree(self) -> bool:
        """Whether both numbers are equal."""
        return self.vendor == self.table

    @property
    def mismatch(self) -> str | None:
        """Both numbers in words if they differ; otherwise None."""
        return None if self.agree else f"octolis counts {self.vendor} records, the table has {self.table}"

    def compare(self, connection: duckdb.DuckDBPyConnection, target: Target, now: datetime, run_id: str) -> str | None:
        """Apply merges and count the table's rows, as the last step of the commit; returns `mismatch`."""
        self.merges += apply_merges(connection, target.table, now, run_id)
        row = connection.execute(f"SELECT count(*) FROM {target.table.sql}").fetchone()
        self.table = row[0] if row else None
        return self.mismatch

    def check(self) -> dg.AssetCheckResult:
        """The asset check that compares the counts."""
        figures = {"octolis": self.vendor, "table": self.table}
        return dg.AssetCheckResult(
            check_name=COUNT_CHECK,
            passed=self.agree,
            severity=dg.AssetCheckSeverity.ERROR,
            description=self.mismatch or "octolis and the table count the same records",
            metadata={name: count for name, count in figures.items() if count is not None},
        )


def pull(
    client: OctolisClient, query: Query, intake: Intake, options: ReadOptions, counts: Counts, *, since: datetime | None
) -> Pulled:
    """Pull the records modified at `since` or later (None: all records), and the vendor's count.

    If the pages hold the whole dataset, as the first page of a small one does, all other records leave the table.
    """
    began = datetime.now(UTC)
    reason: str | None = None
    odd: str | None = None
    counts.vendor = 0
    for attempt in range(1 + REPETITIONS):
        if attempt:
            intake.forget()
        leaves = client.pages(
            query,
            since=since,
            size=options.page_size,
            folder=intake.folder,
            read=intake.json_reader(cursor=MODIFIED_AT, records=RECORDS),
        )
        ended, read, shown = False, 0, 0
        for leaf in ahead(leaves):
            intake.take(leaf.page)
            ended, read, shown = ended or leaf.is_last, read + leaf.page.records, max(shown, leaf.end)
        counts.vendor = _count(client, query, intake, shown)
        reason = contradiction(intake, read)
        before, odd = odd, shrank(intake, shown) if ended else None
        if reason is None and (odd is None or odd == before):
            break
    intake.shrunk += [odd] if odd else []
    if reason is not None:
        as_of = intake.first_answer or began
        return keep_stored(as_of, EVER, as_of, reason)
    # Only a walk to the end may delete records that were not returned. A vendor whose pages are shorter than requested
    # seems to end too early, and a count far below the records on the pages is wrong. Both rule out deletions.
    whole = ended and counts.vendor <= read and not _contradicts(counts.vendor, shown)
    as_of = intake.first_answer or began
    # pages that end before the vendor's own count may also lack records that changed
    counted_by_vendor = counted(counts.vendor, "record")
    cut = f"the vendor counts {counted_by_vendor}, and its pages end after {shown}" if ended and not whole else None
    gaps = [Interval(last_full_walk(intake) or EVER, as_of, cut)] if cut else []
    state = {LAST_FULL_WALK: as_of.isoformat()} if whole else {}
    return Pulled(as_of, coverage=intervals(EVER, as_of, gaps), whole=whole, state=state)


def _count(client: OctolisClient, query: Query, intake: Intake, shown: int) -> int:
    """The vendor's count; requested again if it contradicts the number of records in the pages."""
    for _ in range(1 + REPETITIONS):
        found = client.count(query)
        intake.requests += 1
        if not _contradicts(found, shown):
            break
    return found


def _contradicts(count: int, shown: int) -> bool:
    """Whether a count is less than half of the records on the pages: one walk is too short for so many deletions."""
    return 2 * count < shown


def changed_since(intake: Intake, warehouse: Warehouse, table: TableName, options: ReadOptions) -> datetime | None:
    """The `__modified_at__` from which on changed records are requested; None if a full walk is due."""
    if full_walk_is_due(intake, options.full_walk_every):
        return None
    with warehouse.reading() as connection:
        if MODIFIED_AT not in table_columns(connection, table):
            return None  # the table is empty so far
        newest = f"SELECT max(CAST({quoted(MODIFIED_AT)} AS TIMESTAMPTZ)) FROM {table.sql}"
        row = connection.execute(newest).fetchone()
    if not (row and row[0]):
        return None
    # The last pull may have missed records later than this. The newest record counts as well, because `__modified_at__`
    # need not come from the clock of the server that answers.
    visible_until = intake.known[-1].end.astimezone(UTC) - options.lookback
    return min(row[0].astimezone(UTC), visible_until)
