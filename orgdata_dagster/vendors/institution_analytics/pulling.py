"""One pull of a day: which part of it to request, and what the answers prove.

Here: the pull. Add here when: there is another sign of a wrong answer. Keep out: paging (walk.py), streams
(component.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import takewhile

from orgdata_dagster.http.records import Download
from orgdata_dagster.orchestration.assets.contradictions import REPETITIONS, contradiction, keep_stored, shrank
from orgdata_dagster.orchestration.assets.intake import Intake, Pulled
from orgdata_dagster.orchestration.assets.prefetch import ahead
from orgdata_dagster.orchestration.assets.readers import MeasuredPage
from orgdata_dagster.orchestration.partitions import day_bounds
from orgdata_dagster.vendors.institution_analytics.client import InstitutionAnalyticsClient
from orgdata_dagster.vendors.institution_analytics.walk import MICROSECOND
from orgdata_dagster.vendors.institution_analytics.window import Gap, Window
from orgdata_dagster.warehouse.ledger.intervals import Interval, intervals, joined

_WEST = timedelta(hours=12)  # how far local times can lie behind UTC
_CONTROL = timedelta(days=7)
NO_HEADER = (
    "the vendor answers without even a header, also for the week before: that may mean that there are no rows, or an "
    "error"
)


@dataclass
class _Day:
    """The state of the pull of one day."""

    client: InstitutionAnalyticsClient
    data_set: str
    intake: Intake
    cursor: str
    window: Window
    gaps: list[Interval] = field(default_factory=list)
    zoned: bool = True
    header: bool = True

    def walk(self) -> None:
        """Read the window and stage its pages."""
        _, end = day_bounds(str(self.intake.partition))
        pages = self.client.pages(self.data_set, self.window, folder=self.intake.folder, read=self._reader())
        for item in ahead(pages):
            if isinstance(item, Gap):
                self.gaps.append(Interval(item.after + MICROSECOND, item.until + MICROSECOND, item.reason))
            else:
                self.intake.take(item.page, after=item.after, until=min(filter(None, (item.until, end - MICROSECOND))))

    def start_again(self) -> None:
        """Forget what was taken in."""
        self.intake.forget()
        self.gaps.clear()

    def is_silent(self) -> bool:
        """Whether the vendor sends no header for the week before either, so that its answer proves nothing."""
        if self.header:
            return False
        control = Window(self.window.after - _CONTROL, None)
        path = self.intake.folder / "control.csv"
        self.client.page(self.data_set, control.after, control.until, into=path, read=self._reader())
        if not self.header:
            return True
        self.walk()
        return False

    def _reader(self) -> Callable[[Download], MeasuredPage]:
        measure = self.intake.reader(self.cursor)

        def read(download: Download) -> MeasuredPage:
            page = measure(download)
            self.header = bool(page.page.columns)
            self.zoned = self.zoned and page.zoned
            return page

        return read


def pull_day(
    client: InstitutionAnalyticsClient, data_set: str, intake: Intake, cursor: str, lookback: timedelta
) -> Pulled:
    """Pull one day: whole when it is over, from its watermark on when it is today.

    What the vendor says about the last `lookback` before its own clock is taken but not claimed complete: clocks
    differ, and a row may become visible a moment after its instant. The next pull of the day begins there. An answer
    that would take stored rows away is asked for again, and if it stays, what is stored stays too.
    """
    start, end = day_bounds(str(intake.partition))
    began = datetime.now(UTC)
    before = tuple(takewhile(_is_final, intake.known)) if end > began else ()
    complete_until = max((part.end for part in before), default=start)
    window = Window(complete_until - MICROSECOND, None if end > began else end - MICROSECOND)
    after = window.after if complete_until > start else None
    day = _Day(client, data_set, intake, cursor, window)
    day.walk()
    if shrank(intake, intake.row_count, after=after):
        day.start_again()
        day.walk()
        intake.shrunk += filter(None, [shrank(intake, intake.row_count, after=after)])
    for _ in range(REPETITIONS if contradiction(intake, intake.row_count, after=after) else 0):
        if not intake.row_count:
            day.walk()
    as_of = intake.first_answer or began
    until = min(end, as_of - lookback)
    reason = contradiction(intake, intake.row_count, after=after) or _lost(day, after)
    if reason is None and not intake.row_count and day.is_silent():
        reason = NO_HEADER
    if reason is not None:
        return keep_stored(as_of, complete_until, max(until, complete_until + MICROSECOND), reason, *before)
    if not day.zoned:
        # local times would be found out by the walk, but not which of them are still to come
        until = min(until, max(intake.watermark or start, as_of - lookback - _WEST))
    return Pulled(as_of, coverage=joined([*before, *intervals(complete_until, until, day.gaps)]), after=after)


def _is_final(part: Interval) -> bool:
    """Whether nothing is gained by asking for a part again: it is complete, or no page can hold it."""
    return part.reason is None or part.reason.startswith("more than")


def _lost(day: _Day, after: datetime | None) -> str | None:
    """Why rows that are stored would get lost to a gap that may close again, if so."""
    open_gaps = [gap for gap in day.gaps if not _is_final(gap)]
    if not open_gaps or day.intake.stored({}, after) <= day.intake.row_count:
        return None
    return open_gaps[0].reason
