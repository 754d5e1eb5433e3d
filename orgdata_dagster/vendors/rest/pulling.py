"""One pull of a list: what to request, and what the answers prove.

Here: the three kinds of pull, and their requests. Add here when: there is another kind.
Keep out: paging (http/rest/), Dagster (streams.py), the parents of `each` (parents.py).

| kind  | if                                          | a row that is deleted at the vendor           |
|-------|---------------------------------------------|-----------------------------------------------|
| day   | the table has daily partitions              | leaves the table when its day is pulled again |
| since | the list is filtered by a lower bound       | leaves the table at the next full walk        |
| whole | the list is not filtered                    | leaves the table                              |
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from orgdata_dagster.http.errors import PermanentError
from orgdata_dagster.http.rest.bounds import earlier
from orgdata_dagster.http.rest.walk import Walked
from orgdata_dagster.orchestration.assets.contradictions import REPETITIONS, contradiction, keep_stored, shrank
from orgdata_dagster.orchestration.assets.full_walks import full_walk_is_due
from orgdata_dagster.orchestration.assets.intake import Intake, Pulled, Read
from orgdata_dagster.orchestration.assets.interrupts import threads
from orgdata_dagster.orchestration.assets.readers import MeasuredPage
from orgdata_dagster.orchestration.partitions import DAY, day_bounds
from orgdata_dagster.vendors.rest.client import RestClient
from orgdata_dagster.vendors.rest.list_request import Listing
from orgdata_dagster.vendors.rest.list_settings import Filters, RestList
from orgdata_dagster.vendors.rest.overlap import Overlap
from orgdata_dagster.vendors.rest.parents import Parents
from orgdata_dagster.vendors.rest.shifts import FARTHEST, Seen, Shifts, row_outside
from orgdata_dagster.warehouse.ledger.intervals import EVER, Interval, joined
from orgdata_dagster.warehouse.ledger.state import FILTER_IS_SHIFTED, LAST_FULL_WALK
from orgdata_dagster.warehouse.pages import json_pages

MICROSECOND = timedelta(microseconds=1)
_REPEATED = 1  # times that an answer without known rows is requested again
LOCAL = "the vendor's times do not state their zone: rows may belong to another day"


@dataclass
class RestPull:
    """A pull of one partition.

    everything: read the whole list, even if its changes would be enough; for days, find out again whether the vendor's
        days are UTC days.
    workers: number of parents whose lists are read concurrently.
    shifts: findings about the vendor's filter, shared by all days of the step.
    overlap: known rows that the pull must return again.
    start, end: the range of time in which rows must be; None: no bound.
    wide: whether one more day is requested on both sides.
    lowest, highest: the earliest and the latest received row.
    unit: precision of the instants.
    is_proven: whether the pull has every row.
    reasons: why the partition may be incomplete.
    proofs: what shows that it is complete.
    """

    client: RestClient
    vendor: str
    source: RestList
    parents: Parents
    intake: Intake
    everything: bool = False
    workers: int = 1
    shifts: Shifts = field(default_factory=Shifts)
    overlap: Overlap = field(init=False)
    start: datetime | None = None
    end: datetime | None = None
    wide: bool = False
    unit: timedelta = timedelta(0)
    lowest: Seen | None = None
    highest: Seen | None = None
    is_proven: bool = True
    reasons: list[str] = field(default_factory=list)
    proofs: list[str] = field(default_factory=list)
    began: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __post_init__(self) -> None:
        self.overlap = Overlap(self.intake.state)

    def run(self) -> Pulled:
        """Pull the partition."""
        if self.source.by_day:
            return self._day()
        return self._since() if self.source.filters else self._whole()

    def _day(self) -> Pulled:
        """Pull all rows last changed on a day, also if it is today, so that deletions are seen (docs/adr/0004)."""
        filters = self.source.filters
        assert filters is not None
        self.start, self.end = start, end = day_bounds(str(self.intake.partition))
        reason = self._walk_day(filters, start, end)
        # the coverage of a day that is not proven ends before the day does, so that the day is due again
        until = min(end, self.as_of - filters.lookback) if not self.reasons else min(end - MICROSECOND, self.as_of)
        if reason is not None:
            return keep_stored(self.as_of, start, max(until, start + MICROSECOND), reason)
        proven = (self._interval(start, until),) if until > start else ()
        return Pulled(self.as_of, coverage=proven, whole=self.is_proven)

    def _walk_day(self, filters: Filters, start: datetime, end: datetime) -> str | None:
        """Read a day. Returns a reason if the stored rows must stay as they are, otherwise None.

        If the vendor's days are not UTC days, one more day is requested on both sides, for all further days too.
        """
        stored = self.intake.state.get(FILTER_IS_SHIFTED) == "true" and not self.everything
        self.wide = self.shifts.found or stored
        reason = self._walk(*self._around(filters, start, end))
        if not self.wide and reason is None:
            if self._is_shifted(filters, start, end):  # not `found |= ...`, which could undo what another day has found
                self.shifts.found = True
            if self.shifts.found:
                self.intake.forget()
                self.wide = True
                reason = self._walk(*self._around(filters, start, end))
        if self.wide:
            self.shifts.wide.add(str(self.intake.partition))
        return reason

    def _is_shifted(self, filters: Filters, start: datetime, end: datetime) -> bool:
        """Whether the vendor omits a row from outside the day whenever exactly its time is requested.

        The row may have changed since the day was read. The time is therefore requested twice, and in between the day,
        which must still have the row.
        """
        outside = row_outside(start, end, self.lowest, self.highest, filters.margin)
        if outside is None or filters.reach <= filters.margin:  # such rows are an error
            return False
        # slightly more than the day was requested, so a row from there proves nothing by itself and is checked once
        margin = filters.margin + self.unit
        if self.shifts.checked and start - margin <= outside.at <= end + margin:
            return False
        self.shifts.checked = True
        if filters.is_exact and not filters.of_whole_days:
            first, last = outside.at - filters.margin, outside.at + filters.margin
        else:
            first, last = day_bounds(str(outside.at.astimezone(UTC).date()))
        exact = [filters.within(self.source.listing, first, last)]
        if self._shows(exact, outside) or not self._shows(self._around(filters, start, end), outside):
            return False
        return not self._shows(exact, outside)

    def _shows(self, listings: Sequence[Listing], row: Seen) -> bool:
        """Whether these lists have a row at this instant."""
        walked = self._list(listings, row.values)
        return any(page.count_within(row.at - MICROSECOND, row.at) for page in walked.pages)

    def _around(self, filters: Filters, start: datetime, end: datetime) -> list[Listing]:
        """The lists that together have the rows of a day."""
        listing, margin = self.source.listing, filters.margin
        if not self.wide:
            return [filters.within(listing, start - margin, end + margin)]
        if not filters.of_whole_days:
            return [filters.within(listing, start - DAY - margin, end + DAY + margin)]
        days = [day for day in (-DAY, timedelta(0), DAY) if start + day <= self.began + FARTHEST]
        return [filters.within(listing, start + day, end + day) for day in days]

    def _since(self) -> Pulled:
        """Pull what changed since the table was complete, or everything if a full walk is due."""
        filters = self.source.filters
        assert filters is not None
        before = tuple(part for part in self.intake.known if part.complete)
        complete = max((part.end for part in before), default=None)
        # rows from before `initial` stay, if an earlier configuration pulled them
        first = filters.initial and min([filters.initial, *(part.start for part in before)])
        full = self.everything or complete is None or full_walk_is_due(self.intake, filters.full_walk_every)
        if not full and complete is not None:
            since = min(complete - filters.lookback, earlier(self.overlap.start or complete, filters.margin))
            full = not self._agrees(filters.within(self.source.listing, since, None))
        reason = self._walk(filters.within(self.source.listing, first, None)) if full else None
        start, until = complete or first or EVER, self.as_of - filters.lookback
        if reason is not None:
            return keep_stored(self.as_of, start, max(until, start + MICROSECOND), reason, *before)
        state = self.overlap.state()
        if full and self.is_proven:
            state |= {LAST_FULL_WALK: self.as_of.isoformat()}
            start, until = first or EVER, max(until, complete or until)
            return Pulled(self.as_of, coverage=(self._interval(start, until),), whole=True, state=state)
        new = (self._interval(start, until),) if until > start else ()
        if self._reason and not new:
            new = (Interval(start, start + MICROSECOND, self._reason),)
        return Pulled(self.as_of, coverage=joined([*before, *new]), state=state)

    def _agrees(self, listing: Listing) -> bool:
        """Read what changed. Returns False, and keeps no rows, if two answers contain no known row: either the known
        rows were deleted, or the answers are wrong."""
        for _ in range(1 + _REPEATED):
            self._walk(listing, replaces=False)
            if self.overlap.agrees:
                return True
            self.intake.forget()
        return False

    def _whole(self) -> Pulled:
        """Pull the whole list. Stored rows that are not in it are deleted, unless a row may be missing."""
        reason = self._walk(self.source.listing)
        if reason is not None:
            return keep_stored(self.as_of, EVER, self.as_of, reason)
        return Pulled(self.as_of, coverage=(self._interval(EVER, self.as_of),), whole=self.is_proven)

    @property
    def as_of(self) -> datetime:
        """The vendor's time when the pull began."""
        return self.intake.first_answer or self.began

    @property
    def _reason(self) -> str | None:
        return "; ".join(dict.fromkeys(self.reasons)) or None

    def _interval(self, start: datetime, end: datetime) -> Interval:
        """The pulled interval, with the reasons why it may be incomplete, or the proofs that it is complete."""
        proof = None if self.reasons else "; ".join(dict.fromkeys(self.proofs)) or None
        return Interval(start, end, self._reason, proof)

    def _walk(self, *listings: Listing, replaces: bool = True) -> str | None:
        """Read the lists of every parent. Returns a reason if the stored rows must stay as they are, otherwise None.

        A list that has lost most of its rows is read again; if the next answer is the same, it is accepted.

        replaces: whether stored rows that are not in the list would be deleted.
        """
        odd: str | None = None
        for attempt in range(1 + REPETITIONS):
            if attempt:
                self.intake.forget()
            self.is_proven, self.reasons, self.proofs = True, [], []
            self.lowest = self.highest = None
            self.overlap.begin()
            if (reason := self._once(listings, replaces=replaces)) is not None:
                return reason
            before, odd = odd, shrank(self.intake, self.intake.row_count) if replaces else None
            if odd is None or odd == before:
                break
        self.intake.shrunk += [odd] if odd else []
        if not self.is_proven and not self.source.table.key:
            return self._reason  # without a key, rows of several walks cannot be distinguished
        return None

    def _once(self, listings: Sequence[Listing], *, replaces: bool) -> str | None:
        if self.parents.incomplete:
            self._not_proven(self.parents.incomplete)
        for values, walked in self._walks(listings):
            came = self._take(walked, values)
            for _ in range(REPETITIONS if replaces and contradiction(self.intake, came, values) else 0):
                came = came or self._take(self._list(listings, values), values)
            if replaces and (why := contradiction(self.intake, came, values)):
                if not (self.source.table.key and values):
                    return why
                self._not_proven(why)  # the rows of the other parents land
        return None

    def _walks(self, listings: Sequence[Listing]) -> Iterator[tuple[Mapping[str, str], Walked[MeasuredPage]]]:
        """The list of each parent, in order; several are read concurrently."""
        at_once = 1 if self.intake.one_by_one else min(self.workers, len(self.parents.rows))
        if at_once == 1:
            yield from ((values, self._list(listings, values)) for values in self.parents.rows)
            return
        _ = self.intake.connection, self.intake.folder  # created here, before several threads need them
        with threads(at_once, "each") as pool:
            coming = deque[tuple[Mapping[str, str], Future[Walked[MeasuredPage]]]]()
            try:
                for values in self.parents.rows:
                    coming.append((values, pool.submit(self._list, listings, values)))
                    if len(coming) > at_once:
                        done, walk = coming.popleft()
                        yield done, walk.result()
                while coming:
                    done, walk = coming.popleft()
                    yield done, walk.result()
            finally:
                for _, walk in coming:
                    walk.cancel()

    def _not_proven(self, reason: str) -> None:
        self.is_proven = False
        self.reasons.append(reason)

    def _list(self, listings: Sequence[Listing], values: Mapping[str, str]) -> Walked[MeasuredPage]:
        """Read the lists of one parent."""
        walks = [
            self.client.pages(
                listing.filled(values), folder=self.intake.folder, read=self._reader(), note=self.overlap.note
            )
            for listing in listings
        ]
        worst = next((walk for walk in walks if walk.reason), walks[0])
        return Walked(tuple(page for walk in walks for page in walk.pages), worst.proof, worst.reason)

    def _reader(self) -> Read:
        listing = self.source.listing
        if listing.format in ("csv", "csv_in_json"):
            return self.intake.reader(self.source.cursor)
        return self.intake.json_reader(cursor=self.source.cursor, records=listing.records or json_pages.ARRAY)

    def _take(self, walked: Walked[MeasuredPage], values: Mapping[str, str]) -> int:
        """Stage the pages of one walk; for a day, only its own rows. Returns the number of records on the pages."""
        if walked.reason is not None:
            self._not_proven(walked.reason)
        elif walked.proof is not None:
            self.proofs.append(walked.proof)
        filters = self.source.filters
        for page in walked.pages:
            if self.start is None or self.end is None or filters is None or filters.column is None:
                self.intake.take(page, constants=values)
                continue
            self._check_bounds(page, self.start - filters.reach, self.end + filters.reach)
            self._measure(page, values)
            if page.records and not page.zoned and filters.is_exact:
                self._not_proven(LOCAL)
            self.intake.take(page, after=self.start - MICROSECOND, until=self.end - MICROSECOND, constants=values)
        return sum(page.records for page in walked.pages)

    def _measure(self, page: MeasuredPage, values: Mapping[str, str]) -> None:
        """Keep the earliest and the latest row of the list."""
        if page.lowest is None or page.highest is None:
            return
        self.unit = max(self.unit, page.unit)
        self.lowest = min(filter(None, (self.lowest, Seen(page.lowest, values))), key=lambda seen: seen.at)
        self.highest = max(filter(None, (self.highest, Seen(page.highest, values))), key=lambda seen: seen.at)

    def _check_bounds(self, page: MeasuredPage, earliest: datetime, latest: datetime) -> None:
        """Raise PermanentError if the vendor did not filter, because each day would then read the whole list."""
        if page.lowest is None or page.highest is None:
            return
        if self.wide:
            earliest, latest = earliest - DAY, latest + DAY
        # the vendor may print coarser instants than it stores
        if page.lowest < earliest - page.unit or page.highest > latest + page.unit:
            raise PermanentError(
                f"requested rows of {self.intake.partition}, received rows from {page.lowest.isoformat()} to "
                f"{page.highest.isoformat()}",
                vendor=self.vendor,
                endpoint=page.download.endpoint,
                remedy=f"This list cannot be filtered by its {self._option}: correct it in defs.yaml, or remove it.",
            )

    @property
    def _option(self) -> str:
        return self.source.filters.option if self.source.filters else ""
