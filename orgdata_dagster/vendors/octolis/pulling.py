"""One pull of a dataset: which records to request, and what the answer proves.

Here: the pull between the client and the landing, and the comparison with the vendor's count. Keep out: paging
(walk.py), what a run does when the counts differ (rounds.py).

When everything was read the last time is part of the table's state (warehouse/ledger/state.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg
import duckdb

from orgdata_dagster.orchestration.assets.contradictions import REPETITIONS, contradiction, keep_stored, shrank
from orgdata_dagster.orchestration.assets.full_walks import full_walk_is_due, last_full_walk
from orgdata_dagster.orchestration.assets.intake import Intake, Pulled
from orgdata_dagster.orchestration.assets.prefetch import ahead
from orgdata_dagster.vendors.octolis.client import MODIFIED_AT, OctolisClient, Query
from orgdata_dagster.vendors.octolis.merges import follow_merges
from orgdata_dagster.warehouse.catalog import table_columns
from orgdata_dagster.warehouse.commit.target import Target
from orgdata_dagster.warehouse.ledger.intervals import EVER, Interval, intervals
from orgdata_dagster.warehouse.ledger.state import LAST_FULL_WALK
from orgdata_dagster.warehouse.names import TableName, quoted
from orgdata_dagster.warehouse.storage.connection import Warehouse

COUNT_CHECK = "count"
RECORDS = "records"  # the envelope's array


@dataclass(frozen=True)
class Manner:
    """How a dataset is read. `settle`: how long after its `__modified_at__` a record may become visible; `walk_every`:
    after so much time everything is read again, because a SQL dataset may change records without a new instant."""

    settle: timedelta
    walk_every: timedelta | None
    page_size: int


@dataclass
class Counts:
    """The number of records of the vendor and of the table after a pull, and the merges of the pull."""

    vendor: int | None = None
    table: int | None = None
    merges: int = 0

    @property
    def agree(self) -> bool:
        """Whether the table is complete."""
        return self.vendor == self.table

    @property
    def doubt(self) -> str | None:
        """Why the table is not complete; None if it is."""
        return None if self.agree else f"octolis counts {self.vendor} records, the table has {self.table}"

    def look(self, connection: duckdb.DuckDBPyConnection, target: Target, now: datetime, run_id: str) -> str | None:
        """The commit's last step: apply merges, count the table's rows. Returns why it is incomplete, or None."""
        self.merges += follow_merges(connection, target.table, now, run_id)
        row = connection.execute(f"SELECT count(*) FROM {target.table.sql}").fetchone()
        self.table = row[0] if row else None
        return self.doubt

    def check(self) -> dg.AssetCheckResult:
        """The asset check that compares the counts."""
        figures = {"octolis": self.vendor, "table": self.table}
        return dg.AssetCheckResult(
            check_name=COUNT_CHECK,
            passed=self.agree,
            severity=dg.AssetCheckSeverity.ERROR,
            description=self.doubt or "octolis and the table count the same records",
            metadata={name: count for name, count in figures.items() if count is not None},
        )


def pull(
    client: OctolisClient, query: Query, intake: Intake, manner: Manner, counts: Counts, *, since: datetime | None
) -> Pulled:
    """Pull what was modified at `since` or later (None: everything), and ask for the count.

    If the pages turn out to hold the whole dataset, which a small one's first page does, the table becomes just that.
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
            size=manner.page_size,
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
    # Deleting what did not come again is for a walk to the end only, and a vendor that gives shorter pages than it was
    # asked for seems to end too early. Nor is a count to be believed that knows nothing of what the pages have shown.
    whole = ended and counts.vendor <= read and not _contradicts(counts.vendor, shown)
    as_of = intake.first_answer or began
    # pages that end before the vendor's own count may have left out what changed, too
    cut = f"the vendor counts {counts.vendor} records, and its pages end after {shown}" if ended and not whole else None
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
    """Whether a count is less than half of the records shown: so many are not deleted while a dataset is read."""
    return 2 * count < shown


def start_of(intake: Intake, warehouse: Warehouse, table: TableName, manner: Manner) -> datetime | None:
    """The `__modified_at__` from which on to request changes; None for a full walk."""
    if full_walk_is_due(intake, manner.walk_every):
        return None
    with warehouse.reading() as connection:
        if MODIFIED_AT not in table_columns(connection, table):
            return None  # empty so far
        newest = f"SELECT max(CAST({quoted(MODIFIED_AT)} AS TIMESTAMPTZ)) FROM {table.sql}"
        row = connection.execute(newest).fetchone()
    if not (row and row[0]):
        return None
    # Later than that, the last pull cannot have seen everything. The vendor's clock alone would not do: instants of
    # records need not come from the clock that answers requests.
    settled = intake.known[-1].end.astimezone(UTC) - manner.settle
    return min(row[0].astimezone(UTC), settled)
