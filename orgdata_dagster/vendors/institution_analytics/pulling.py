"""One pull of a day: which rows to ask for, and what the answers prove.

Here: the pull between the client and the landing.
Keep out: YAML (component.py), paging (walk.py), storing (warehouse/).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from orgdata_dagster.orchestration.assets.intake import Intake, Pulled
from orgdata_dagster.orchestration.assets.prefetch import ahead
from orgdata_dagster.orchestration.partitions import day_bounds
from orgdata_dagster.vendors.institution_analytics.client import InstitutionAnalyticsClient
from orgdata_dagster.vendors.institution_analytics.walk import MICROSECOND, Gap, Window
from orgdata_dagster.warehouse.ledger.coverage import intervals, joined
from orgdata_dagster.warehouse.ledger.store import Interval


def pull_day(
    client: InstitutionAnalyticsClient, data_set: str, intake: Intake, cursor: str, lookback: timedelta
) -> Pulled:
    """Pull one day: whole when it is over, from its watermark on when it is today.

    What the vendor says about the last `lookback` before its own clock is taken but not claimed complete: clocks
    differ, and a row may become visible a moment after its instant. The next pull of the day begins there.
    """
    start, end = day_bounds(str(intake.partition))
    began = datetime.now(UTC)
    before: tuple[Interval, ...] = ()
    complete_until = start
    if end > began:
        before = intake.known
        complete_until = max((part.end for part in before), default=start)
    window = Window(complete_until - MICROSECOND, None if end > began else end - MICROSECOND)
    gaps = []
    pages = client.pages(data_set, window, folder=intake.folder, read=intake.reader(cursor))
    for item in ahead(pages):
        if isinstance(item, Gap):
            reason = f"more than {item.records} rows at one instant: the vendor's page cannot hold them all"
            gaps.append(Interval(item.after + MICROSECOND, item.until + MICROSECOND, reason))
        else:
            intake.take(item.page, after=item.after, until=min(filter(None, (item.until, end - MICROSECOND))))
    as_of = intake.first_answer or began
    proven = intervals(complete_until, min(end, as_of - lookback), gaps)
    return Pulled(
        as_of,
        coverage=joined([*before, *proven]),
        after=complete_until - MICROSECOND if complete_until > start else None,
    )
