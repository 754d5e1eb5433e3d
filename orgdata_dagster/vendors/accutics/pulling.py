"""One pull of an entity: which of its rows to ask for, and what the answer proves.

Here: the pull between the client and the landing. Keep out: paging (paging.py, walk.py), Dagster (assets.py).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import takewhile

from orgdata_dagster.http.errors import PermanentError
from orgdata_dagster.orchestration.assets.intake import Intake, Pulled
from orgdata_dagster.orchestration.assets.readers import MeasuredPage
from orgdata_dagster.orchestration.partitions import day_bounds
from orgdata_dagster.vendors.accutics.client import RECORDS, AccuticsClient, Listing
from orgdata_dagster.vendors.accutics.search import where
from orgdata_dagster.vendors.accutics.walk import WALKS
from orgdata_dagster.warehouse.ledger.coverage import joined
from orgdata_dagster.warehouse.ledger.store import Interval

EVER = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
RESTLESS = f"rows moved during each of {WALKS} walks, so that one may be missing; it is pulled again next time"


def pull_all(client: AccuticsClient, listing: Listing, intake: Intake) -> Pulled:
    """Pull a whole entity. Rows that did not come again are gone, unless the walk is not sure of itself."""
    began = datetime.now(UTC)
    walked = client.pages(listing, folder=intake.folder, read=intake.json_reader(records=RECORDS))
    for page in walked.pages:
        intake.take(page)
    as_of = intake.first_answer or began
    reason = None if walked.settled else RESTLESS
    return Pulled(as_of, coverage=(Interval(EVER, as_of, reason),), whole=walked.settled)


def pull_day(client: AccuticsClient, listing: Listing, intake: Intake, settle: timedelta) -> Pulled:
    """Pull the rows last changed on a day: all of them when it is over, those since its watermark when it is today.

    Bounds are whole seconds, since the vendor strips fractions: the watermark's second is asked for again. What the
    vendor says about the last `settle` before its own clock is taken but not claimed complete (docs/adr/0004).
    """
    cursor = listing.cursor_column
    assert cursor is not None  # entities without one are pulled whole
    start, end = day_bounds(str(intake.partition))
    began = datetime.now(UTC)
    is_over = end <= began
    before = () if is_over else tuple(takewhile(lambda part: part.complete, intake.known))
    complete_until = before[-1].end if before else start
    since = complete_until.replace(microsecond=0)
    walked = client.pages(
        listing,
        where(cursor, "gte", since, kind="timestamp"),
        where(cursor, "lt", end, kind="timestamp"),
        folder=intake.folder,
        read=intake.json_reader(cursor=cursor, records=RECORDS),
    )
    for page in walked.pages:
        _check_bounds(page, since, end)
        intake.take(page)
    as_of = intake.first_answer or began
    reason = None if walked.settled else RESTLESS
    # a doubtful day is not covered to its end, so that it is due again
    until = min(end, as_of - settle) if walked.settled else min(end - MICROSECOND, as_of)
    proven = [Interval(complete_until, until, reason)] if until > complete_until else []
    return Pulled(as_of, coverage=joined([*before, *proven]), whole=is_over and walked.settled)


def _check_bounds(page: MeasuredPage, since: datetime, end: datetime) -> None:
    """Raise PermanentError where the vendor did not search by the cursor column: rows would land in the wrong day."""
    if page.lowest is not None and page.highest is not None and (page.lowest < since or page.highest >= end):
        raise PermanentError(
            f"asked for [{since.isoformat()}, {end.isoformat()}), got rows from {page.lowest.isoformat()} to "
            f"{page.highest.isoformat()}",
            vendor="accutics",
            endpoint=page.download.endpoint,
            remedy="This list cannot be searched by its cursor_column: correct it in defs.yaml, or leave it out.",
        )
