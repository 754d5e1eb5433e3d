"""Walking backwards through a range of time, page by page, without losing a row.

Here: the paging rule of the institution's analytics API, as a pure function over "fetch one page".
Add here when: there is another sign that an answer contradicts an earlier one.
Keep out: requests (client.py), what is stored (pulling.py).

The API returns the newest rows of `(after, until]` first. It cuts the page at some row, perhaps between two rows with
the same instant. The document's next step ("one second prior to the minimum") would lose the rest of that second. The
walk therefore requests the next page from just above the lowest instant of the last page, and takes the rows of that
instant from the new page only. Each instant belongs to exactly one page, however many rows share it, and rows need not
be compared.

"Just above" means one unit of the vendor's printed precision. The vendor may store finer instants than it prints, round
its bounds, or exclude the bound itself. One printed unit higher covers every row that is printed with the lowest
instant. If an answer does not reach an instant that an earlier page has shown, it is requested again. If rows still
cannot be proven to be there, the range becomes a gap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from orgdata_dagster.vendors.institution_analytics.gap_reasons import (
    CONTRADICTED,
    LOCAL,
    TOO_COARSE,
    TOO_MANY,
    UNPROVEN,
)
from orgdata_dagster.vendors.institution_analytics.time_ranges import (
    EPOCH,
    MICROSECOND,
    MINUTE,
    SECOND,
    BoundsIgnored,
    Gap,
    Slice,
    TimedPage,
    TimeRange,
    ceil,
    floor,
)

_REPETITIONS = 2  # of an empty answer below a full page, before it is accepted
_FULL_SHARE = 0.9  # of the largest page: pages hold "up to approximately" a number of rows, so this one may be full

P = TypeVar("P", bound=TimedPage)


def walk(
    fetch: Callable[[datetime, datetime | None], P],
    time_range: TimeRange,
    *,
    page_rows: int = 20_000,
    precision: timedelta = MICROSECOND,
) -> Iterator[Slice[P] | Gap]:
    """Yield the slices that together hold every row of the range once, newest first, and the gaps that remain.

    page_rows: the documented page size. It decides only one case: whether a page may have been cut if all its rows
        share one instant, nothing lies below it, and there is no other page to compare with.
    precision: the finest unit that the vendor's parameters accept. Bounds are widened to it; rows outside the range
        belong to no slice.

    Raises BoundsIgnored, and the errors of `fetch`.
    """
    return _Walk(fetch, time_range, page_rows, precision).run()


@dataclass(frozen=True)
class _Fetched(Generic[P]):
    """A page, and the upper bound of the request for it."""

    page: P
    until: datetime | None


@dataclass(frozen=True)
class _Next(Generic[P]):
    """How the walk goes on below the lowest instant of a page.

    following: the next page; None if nothing lies below.
    own: the page with all rows of that instant, down to `bottom`; None if `following` has them.
    """

    following: _Fetched[P] | None
    own: P | None = None
    bottom: datetime = EPOCH
    gap: Gap | None = None


class _Walk(Generic[P]):
    """The state of one walk: what the answers have shown so far."""

    def __init__(
        self,
        fetch: Callable[[datetime, datetime | None], P],
        time_range: TimeRange,
        page_rows: int,
        precision: timedelta,
    ) -> None:
        self._fetch = fetch
        self._range = time_range
        self._page_rows = page_rows
        self._precision = precision
        self._unit: timedelta | None = None  # the finest unit that the vendor has printed
        self._lift = MICROSECOND  # how far above an instant the bound must be for its rows to be returned
        self._inclusive = False  # whether a row exactly at the bound was returned
        self._largest = 0  # rows of the largest page so far: smaller pages were not cut
        self._known_cut = 0  # rows of the largest page that was certainly cut, because rows were found below it

    def run(self) -> Iterator[Slice[P] | Gap]:
        """The slices and gaps of the range."""
        until = self._range.until
        # just above the end of the range, in case the vendor excludes the bound; the slices cut it off again
        first = self._request(None if until is None else until + MICROSECOND)
        if self._is_utc(first.page):
            yield from self._down(first)
            return
        assert first.page.highest is not None
        yield from self._gap(Gap(self._range.after, self._range.until or first.page.highest, LOCAL))
        yield from (item for item in self._down(first) if isinstance(item, Slice))

    def _down(self, first: _Fetched[P]) -> Iterator[Slice[P] | Gap]:
        """The slices and gaps from the first page on."""
        until = self._range.until
        previous: _Fetched[P] | None = first
        while previous and previous.page.records and previous.page.lowest:
            page, lowest = previous.page, previous.page.lowest
            if lowest <= self._range.after:
                yield Slice(page, self._range.after, until)
                return
            step = self._continue(previous, lowest)
            yield from self._slice(page, step.bottom if step.own is page else lowest, until)
            if step.own is not None and step.own is not page:
                yield from self._slice(step.own, step.bottom, lowest)
            if step.gap is not None:
                yield from self._gap(step.gap)
            if step.following and _reaches_back(step.following.page, lowest):
                yield from self._gap(Gap(self._range.after, lowest, CONTRADICTED))
                return
            until, previous = (step.bottom if step.own is not None else lowest), step.following

    def _slice(self, page: P, after: datetime, until: datetime | None) -> Iterator[Slice[P]]:
        ends = [end for end in (until, self._range.until) if end is not None]
        end, after = min(ends, default=None), max(after, self._range.after)
        if end is None or after < end:
            yield Slice(page, after, end)

    def _gap(self, gap: Gap) -> Iterator[Gap]:
        after = max(gap.after, self._range.after)
        until = min(gap.until, self._range.until or gap.until)
        if after < until:
            yield Gap(after, until, gap.reason)

    def _continue(self, previous: _Fetched[P], lowest: datetime) -> _Next[P]:
        """Request what lies at and below the lowest instant of a page."""
        self._largest = max(self._largest, previous.page.records)
        above = lowest + max(self._lift, self._unit or MICROSECOND)
        found = self._request(above) if self._is_new(above, previous) else previous
        if not _reaches(found.page, lowest):
            odd, found = found, self._request(above)  # an answer may be empty once
            if not _reaches(found.page, lowest):
                return self._fetch_higher(previous, lowest, found if found.page.records else odd)
        if _lowest(found.page) < lowest:
            return self._below(previous, found)
        if _lowest(found.page) > lowest:
            return self._exactly(previous, lowest, [previous])
        if self._has_room(found.page):
            return _Next(None, found.page, lowest - MICROSECOND)
        if found.page.highest == lowest:
            return self._tie(found, lowest)
        return self._exactly(previous, lowest, [previous, found])

    def _exactly(self, previous: _Fetched[P], lowest: datetime, known: list[_Fetched[P]]) -> _Next[P]:
        """A page is full within one printed unit: request up to the end of that unit, then up to the instant itself.

        The second request is the document's. It lacks rows if the vendor stores finer instants than it prints.

        known: the earlier pages whose lowest instant is this one.
        """
        end = self._ceil(lowest + (self._unit or MICROSECOND)) - self._precision
        for bound in (end, lowest) if end > lowest else (lowest,):
            exact = self._request(bound) if self._is_new(bound, previous) else previous
            is_lower = exact.page.records > 0 and _lowest(exact.page) < lowest
            is_whole = not _lacks(exact, known, lowest)
            if is_whole and is_lower:
                return self._below(previous, exact)
            if is_whole and (bound == lowest or exact.page.highest == lowest or self._has_room(exact.page)):
                return self._tie(exact, lowest)
        best = max((exact, *reversed(known)), key=lambda each: each.page.rows_at(lowest).total())
        if is_lower:
            bottom, reason = lowest - MICROSECOND, UNPROVEN.format(records=best.page.rows_at(lowest).total())
            return _Next(exact, best.page, bottom, Gap(bottom, lowest, reason))
        return self._tie(best, lowest, is_cut=_lacks(best, (*known, exact), lowest))

    def _tie(self, exact: _Fetched[P], lowest: datetime, *, is_cut: bool = False) -> _Next[P]:
        """All rows down to the end of the page share one instant (one unit of precision): decide whether it was cut.

        is_cut: whether that is known, because another page has rows of this instant that this one lacks.
        """
        page = exact.page
        if self._has_room(page) and not is_cut:
            return _Next(None, page, lowest - MICROSECOND)  # the page had room, and there were no more rows
        bottom = max(self._ceil(lowest) - self._precision, self._range.after)
        below = self._request(bottom) if bottom > self._range.after else None
        is_full = page.records > 1 and page.records >= _FULL_SHARE * (self._known_cut or self._page_rows)
        reason = TOO_MANY if is_cut or is_full else None
        if page.records > 1 and not reason and not (below and below.page.records) and self._is_new(lowest, exact):
            reason = self._doubt(exact, lowest)
        for _ in range(_REPETITIONS if below and reason else 0):
            if below is None or below.page.records:
                break
            # a full page and nothing below it: repeat both requests, in case the vendor has stopped returning rows
            if not _reaches(self._request(exact.until).page, lowest):
                return _Next(None, page, bottom, Gap(self._range.after, lowest, CONTRADICTED))
            below = self._request(bottom)
        if below and below.page.records:
            return _Next(below, page, bottom, self._cut(exact, lowest, bottom, TOO_MANY))
        return _Next(None, page, bottom, self._cut(exact, lowest, bottom, reason) if reason else None)

    def _doubt(self, exact: _Fetched[P], lowest: datetime) -> str | None:
        """Why a page of one instant, smaller than the documented page size, may have been cut; None if it was not.

        A lower bound leaves some of its rows out. If others take their place, the page was cut; if none do, it was not.
        If no bound leaves only some out, the rows lie within one unit of precision.
        """
        shown, start = exact.page.rows_at(lowest), self._ceil(lowest)
        low, high, step = start - self._precision, exact.until or self._ceil(lowest + MINUTE), self._precision
        while (bound := min(low + step, low + max(1, (high - low) // self._precision // 2) * self._precision)) < high:
            page = self._request(bound).page
            rows = page.rows_at(lowest)
            if rows - shown:
                return TOO_MANY
            if rows and page.records < _FULL_SHARE * exact.page.records:
                return None
            low, high, step = (low, bound, step) if rows else (bound, high, 2 * step)
        if high > start and self._precision > MICROSECOND:  # else stored as printed, with an inclusive bound
            return TOO_COARSE
        return TOO_MANY if high > start and self._request(exact.until).page.rows_at(lowest) != shown else None

    def _cut(self, exact: _Fetched[P], lowest: datetime, bottom: datetime, reason: str) -> Gap:
        """The gap at an instant of which a page may lack rows."""
        if not self._inclusive and self._is_new(lowest, exact):
            self._request(lowest)
        if not self._inclusive:
            bottom -= self._precision  # rows exactly at the requested bound are in no answer
        unit = max(self._precision, self._unit or MICROSECOND)
        if unit > MICROSECOND < lowest - bottom:  # what lies between these two may be printed as a lower instant
            bottom = floor(bottom, unit) - MICROSECOND
        return Gap(bottom, lowest, reason.format(records=exact.page.records))

    def _fetch_higher(self, previous: _Fetched[P], lowest: datetime, odd: _Fetched[P]) -> _Next[P]:
        """The answer `odd` does not reach an instant that the previous page has shown: try again, and from higher up.

        There are three explanations. The vendor rounds its bounds down: then a higher bound helps, and is used from
        now on. The rows were updated meanwhile: then the previous page, requested again, no longer has them either.
        Otherwise the vendor contradicts itself, and what lies below is a gap.
        """
        page, kept = previous.page, lowest - MICROSECOND
        below = odd if odd.page.records else None
        for unit in (SECOND, MINUTE):
            above = self._ceil(ceil(lowest, unit) + unit)
            if (odd.until and above <= odd.until) or not self._is_new(above, previous):
                continue
            found = self._request(above)
            if not _reaches(found.page, lowest):
                below = found if found.page.records else below
            elif _lowest(found.page) < lowest:
                self._lift = max(self._lift, unit)
                return self._below(previous, found) if found.page.rows_at(lowest) else _Next(found, page, kept)
            elif _lowest(found.page) == lowest and self._has_room(found.page) and not _lacks(found, [previous], lowest):
                return _Next(None, found.page, kept)
        again = self._request(previous.until)
        if _reaches(again.page, lowest) and _lowest(again.page) < lowest and not again.page.rows_at(lowest):
            return _Next(again, page, kept)
        after = below.page.highest if below and below.page.highest else self._range.after
        return _Next(below, page, kept, Gap(after, lowest, CONTRADICTED))

    def _below(self, previous: _Fetched[P], found: _Fetched[P]) -> _Next[P]:
        self._known_cut = max(self._known_cut, previous.page.records)
        return _Next(found)

    def _has_room(self, page: P) -> bool:
        """Whether the page was not cut, because other pages were larger."""
        return page.records < _FULL_SHARE * self._largest

    def _is_new(self, until: datetime, previous: _Fetched[P]) -> bool:
        """Whether an upper bound is lower than that of an earlier request."""
        return previous.until is None or self._ceil(until) < previous.until

    def _request(self, until: datetime | None, oldest: datetime | None = None) -> _Fetched[P]:
        until = None if until is None else self._ceil(until)
        # Below the range by the unit that may be rounded, so that its first instant is never lost. The first request
        # reaches lowest: rows below its bound in a later answer would look like rows that were cut off its page.
        oldest = floor(oldest or self._range.after - (self._unit or MINUTE), max(self._precision, SECOND))
        page = self._fetch(oldest, until)
        if page.records:
            self._unit = min(self._unit or page.unit, page.unit)
            self._check(page, oldest, until)
            self._inclusive = self._inclusive or page.highest == until
        return _Fetched(page, until)

    def _is_utc(self, page: P) -> bool:
        """Whether times are in UTC, like the bounds: times without a zone are if a row is found at its own time.

        Raises BoundsIgnored if rows of another time are returned.
        """
        lowest = page.lowest
        if page.zoned or lowest is None:
            return True
        return any(self._request(lowest + MINUTE, lowest - MINUTE).page.records for _ in range(1 + _REPETITIONS))

    def _check(self, page: P, oldest: datetime, until: datetime | None) -> None:
        """Raise BoundsIgnored if rows lie outside the bounds by more than a rounding: the walk would never end."""
        lowest, highest = page.lowest, page.highest
        assert lowest is not None
        assert highest is not None
        rounding = max(self._unit or MICROSECOND, self._precision, self._lift)
        if lowest <= oldest - rounding or (until is not None and highest > until + rounding):
            requested = f"({oldest.isoformat()}, {until.isoformat() if until else 'now'}]"
            raise BoundsIgnored(
                f"requested {requested}, received rows from {lowest.isoformat()} to {highest.isoformat()}: the vendor "
                "ignores the bounds, or prints local times; check after_parameter, before_parameter and precision"
            )

    def _ceil(self, instant: datetime) -> datetime:
        return ceil(instant, self._precision)


def _reaches(page: TimedPage, instant: datetime) -> bool:
    return page.highest is not None and page.highest >= instant


def _lacks(fetched: _Fetched[P], others: Iterable[_Fetched[P]], instant: datetime) -> bool:
    """Whether other pages have rows of an instant that a page lacks."""
    return any(each.page.rows_at(instant) - fetched.page.rows_at(instant) for each in others)


def _reaches_back(page: TimedPage, instant: datetime) -> bool:
    """Whether a page has rows, and none below an instant."""
    return page.lowest is not None and page.lowest >= instant


def _lowest(page: TimedPage) -> datetime:
    assert page.lowest is not None
    return page.lowest
