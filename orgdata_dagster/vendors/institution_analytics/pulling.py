"""One pull of a day: which part of it to request, and what the answers prove.

Here: the pull. Add here when: there is another sign of a wrong answer.
Keep out: paging (walk.py), streams (component.py).
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
from orgdata_dagster.vendors.institution_analytics.time_ranges import MICROSECOND, Gap, TimeRange
from orgdata_dagster.warehouse.ledger.intervals import Interval, intervals, joined

_MOST_BEHIND_UTC = timedelta(hours=12)  # the most that local times can be behind UTC
_CONTROL_SPAN = timedelta(days=7)
NO_HEADER = (
    "the vendor's answer has not even a header, and neither has its answer for the week before: that may mean that "
    "there are no rows, or that something failed"
)


@dataclass
class _Day:
    """The state of the pull of one day."""

    client: InstitutionAnalyticsClient
    data_set: str
    intake: Intake
    cursor: str
    time_range: TimeRange
    gaps: list[Interval] = field(default_factory=list)
    zoned: bool = True
    header: bool = True

    def walk(self) -> None:
        """Read the range and stage its pages."""
        _, end = day_bounds(str(self.intake.partition))
        pages = self.client.pages(self.data_set, self.time_range, folder=self.intake.folder, read=self._reader())
        for item in ahead(pages):
            if isinstance(item, Gap):
                self.gaps.append(Interval(item.after + MICROSECOND, item.until + MICROSECOND, item.reason))
            else:
                self.intake.take(item.page, after=item.after, until=min(filter(None, (item.until, end - MICROSECOND))))

    def start_again(self) -> None:
        """Discard the rows and gaps of the last walk."""
        self.intake.forget()
        self.gaps.clear()

    def sends_no_header(self) -> bool:
        """Whether the vendor also sends no header for the week before, so that its empty answer proves nothing."""
        if self.header:
            return False
        control = TimeRange(self.time_range.after - _CONTROL_SPAN, None)
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
    """Pull one day: the whole day if it is over, and today from its watermark on.

    lookback: the last part before the vendor's current time. Its rows are stored, but it is not marked as complete,
        because clocks differ and a row may become visible a moment after its instant. The next pull begins there.

    An answer that would remove stored rows is requested again. If the second answer is the same, the stored rows stay.
    """
    start, end = day_bounds(str(intake.partition))
    began = datetime.now(UTC)
    before = tuple(takewhile(_is_final, intake.known)) if end > began else ()
    complete_until = max((part.end for part in before), default=start)
    time_range = TimeRange(complete_until - MICROSECOND, None if end > began else end - MICROSECOND)
    after = time_range.after if complete_until > start else None
    day = _Day(client, data_set, intake, cursor, time_range)
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
    if reason is None and not intake.row_count and day.sends_no_header():
        reason = NO_HEADER
    if reason is not None:
        return keep_stored(as_of, complete_until, max(until, complete_until + MICROSECOND), reason, *before)
    if not day.zoned:
        # the walk detects local times, but it cannot tell which of their rows are still to come
        until = min(until, max(intake.watermark or start, as_of - lookback - _MOST_BEHIND_UTC))
    return Pulled(as_of, coverage=joined([*before, *intervals(complete_until, until, day.gaps)]), after=after)


def _is_final(part: Interval) -> bool:
    """Whether pulling an interval again cannot improve it: it is complete, or no page can hold its rows."""
    return part.reason is None or part.reason.startswith("more than")


def _lost(day: _Day, after: datetime | None) -> str | None:
    """The reason of a gap that may close later, if storing the answer would now remove rows; otherwise None."""
    open_gaps = [gap for gap in day.gaps if not _is_final(gap)]
    if not open_gaps or day.intake.stored({}, after) <= day.intake.row_count:
        return None
    return open_gaps[0].reason
