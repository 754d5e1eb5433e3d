"""One pull of an entity: which rows to request, and what the answer proves.

Here: the pull. Keep out: paging (paging.py, http/rest/walk.py), streams (component.py).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from orgdata_dagster.http.errors import PermanentError
from orgdata_dagster.http.rest.walk import Walked
from orgdata_dagster.orchestration.assets.doubts import ASKED_AGAIN, doubt, keep_stored, shrank
from orgdata_dagster.orchestration.assets.intake import Intake, Pulled
from orgdata_dagster.orchestration.assets.readers import MeasuredPage
from orgdata_dagster.orchestration.partitions import day_bounds
from orgdata_dagster.vendors.accutics.client import RECORDS, AccuticsClient, Listing
from orgdata_dagster.vendors.accutics.search import Condition, where
from orgdata_dagster.warehouse.ledger.intervals import EVER, Interval

MICROSECOND, SECOND = timedelta(microseconds=1), timedelta(seconds=1)
LOCAL = "the vendor's times do not say their zone: rows may belong to another day"


def pull_all(client: AccuticsClient, listing: Listing, intake: Intake) -> Pulled:
    """Pull a whole entity. Rows that did not come again are deleted, unless the walk was not verified."""
    began = datetime.now(UTC)
    walked = _walk(client, listing, intake)
    as_of = intake.first_answer or began
    if why := doubt(intake, intake.kept):
        return keep_stored(as_of, EVER, as_of, why)
    reason = walked.reason
    return Pulled(as_of, coverage=(Interval(EVER, as_of, reason, walked.proof),), whole=walked.settled)


def pull_day(client: AccuticsClient, listing: Listing, intake: Intake, settle: timedelta) -> Pulled:
    """Pull the rows last changed on a day, all of them, also when it is today: only so is it seen which are gone.

    What the vendor says about the last `settle` before its own clock is taken but not claimed complete
    (docs/adr/0004).
    """
    cursor = listing.cursor_column
    assert cursor is not None  # entities without one are pulled whole
    start, end = day_bounds(str(intake.partition))
    began = datetime.now(UTC)
    # a second more on both sides: a vendor may leave its bound out, or take it in
    since, before = start - SECOND, end + SECOND
    day = (where(cursor, "gte", since, kind="timestamp"), where(cursor, "lt", before, kind="timestamp"))
    walked = _walk(client, listing, intake, *day, cursor=cursor, bounds=(start, end))
    as_of = intake.first_answer or began
    # a doubtful day is not covered to its end, so that it is due again
    until = min(end, as_of - settle) if walked.settled else min(end - MICROSECOND, as_of)
    if why := doubt(intake, intake.kept):
        return keep_stored(as_of, start, max(until, start + MICROSECOND), why)
    reason = walked.reason
    if not all(page.zoned for page in walked.pages):
        reason = LOCAL
    proven = (Interval(start, until, reason, None if reason else walked.proof),) if until > start else ()
    return Pulled(as_of, coverage=proven, whole=walked.settled)


def _walk(
    client: AccuticsClient,
    listing: Listing,
    intake: Intake,
    *conditions: Condition,
    cursor: str | None = None,
    bounds: tuple[datetime, datetime] | None = None,
) -> Walked[MeasuredPage]:
    """Take in the pages of a list; again where no row comes although some are stored, or far fewer than are stored."""
    odd: str | None = None
    for attempt in range(1 + ASKED_AGAIN):
        if attempt:
            intake.forget()
        read = intake.json_reader(cursor=cursor, records=RECORDS)
        walked = client.pages(listing, *conditions, folder=intake.folder, read=read)
        for page in walked.pages:
            if bounds is None:
                intake.take(page)
                continue
            _check_bounds(page, *bounds)
            intake.take(page, after=bounds[0] - MICROSECOND, until=bounds[1] - MICROSECOND)
        before, odd = odd, shrank(intake, intake.kept)
        if doubt(intake, intake.kept) is None and (odd is None or odd == before):
            break
    intake.shrunk += [odd] if odd else []
    return walked


def _check_bounds(page: MeasuredPage, since: datetime, end: datetime) -> None:
    """Raise PermanentError if the vendor did not search by the cursor column: rows would land in the wrong day."""
    if page.lowest is None or page.highest is None:
        return
    # what was asked for is a second longer on both sides, and a vendor may print coarser instants than it stores
    if page.lowest < since - SECOND - page.unit or page.highest > end + SECOND:
        raise PermanentError(
            f"requested [{since.isoformat()}, {end.isoformat()}), received rows from {page.lowest.isoformat()} to "
            f"{page.highest.isoformat()}",
            vendor="accutics",
            endpoint=page.download.endpoint,
            remedy="This list cannot be searched by its cursor_column: correct it in defs.yaml, or remove it.",
        )
