"""Walking backwards through a window of time, page by page, without losing a row.

Here: the paging rule of the institution's analytics API, as a pure function over "fetch one page". Add here: another
sign by which an answer contradicts an earlier one. Keep out: requests (client.py), what is stored (pulling.py).

The API returns the newest rows of `(after, until]` first and cuts the page somewhere, perhaps between two rows of the
same instant. The document's next step ("one second prior to the minimum") would lose what shares that second. So the
next page is asked for from just above the lowest instant of the last one, and that instant is taken from the new page
alone: every row belongs to exactly one page by its instant, however many share it, and no row is compared.

"Just above" is one unit of what the vendor prints. It may store finer instants than it prints, round its bounds, or
leave out the bound itself: one printed unit higher, every row that is printed with the lowest instant is below it. An
answer that does not reach an instant which was shown before is asked for again; what cannot be shown to be there in the
end is a gap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar

from orgdata_dagster.vendors.institution_analytics.window import BoundsIgnored, Gap, Page, Slice, Window

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND, SECOND, MINUTE = timedelta(microseconds=1), timedelta(seconds=1), timedelta(minutes=1)
TOO_MANY = "more than {records} rows at one instant: the vendor's page cannot hold them all"
UNPROVEN = (
    "{records} rows printed with one instant did not all come again when they were asked for: the vendor may store "
    "finer instants than it prints, and a page is too small to show them all"
)
CONTRADICTED = "the vendor showed rows here, and answers without them when it is asked again"
LOCAL = (
    "the times have no zone, and a row is not found at its own time when it is asked for in UTC: the vendor prints "
    "local times, or answers without its rows. Only a vendor that prints UTC, or the zone, can be read"
)
_ASKED_AGAIN = 2  # times, before an empty answer below a full page is believed
_NEARLY = 0.9  # "up to approximately": a page of nine tenths of another one may be just as full

P = TypeVar("P", bound=Page)


def walk(
    fetch: Callable[[datetime, datetime | None], P],
    window: Window,
    *,
    page_rows: int = 20_000,
    precision: timedelta = MICROSECOND,
) -> Iterator[Slice[P] | Gap]:
    """Yield the slices that together hold every row of the window once, newest first, and the gaps that remain.

    `page_rows` is the documented page size. Nothing relies on it but one tie: whether a page that lies at one instant,
    with nothing below it and no other page to compare with, may have been cut. `precision` is the finest unit that the
    vendor's parameters understand; bounds are widened to it and rows outside the window belong to no slice.
    """
    return _Walk(fetch, window, page_rows, precision).run()


@dataclass(frozen=True)
class _Asked(Generic[P]):
    """A page and the upper bound with which it was asked for."""

    page: P
    until: datetime | None


@dataclass(frozen=True)
class _Step(Generic[P]):
    """How to go on below the lowest instant of a page.

    `own`: the page that is the authority for that instant, down to `bottom`; None: the `following` one is, which lies
    below it otherwise. No `following`: there is nothing below.
    """

    following: _Asked[P] | None
    own: P | None = None
    bottom: datetime = EPOCH
    gap: Gap | None = None


class _Walk(Generic[P]):
    """The state of one walk: what was learned of the vendor so far."""

    def __init__(
        self, fetch: Callable[[datetime, datetime | None], P], window: Window, page_rows: int, precision: timedelta
    ) -> None:
        self._fetch = fetch
        self._window = window
        self._page_rows = page_rows
        self._precision = precision
        self._unit: timedelta | None = None  # the finest that the vendor has printed
        self._lift = MICROSECOND  # how far above an instant one has to ask at least to see its rows
        self._inclusive = False  # whether a row at the very bound was seen
        self._largest = 0  # rows of the largest page so far: no page smaller than that was cut
        self._known_cut = 0  # rows of the largest page that was certainly cut: rows came to light below it

    def run(self) -> Iterator[Slice[P] | Gap]:
        """The slices and gaps of the window."""
        until = self._window.until
        # just above the window's end, in case the vendor leaves the bound itself out; the slices cut it off again
        first = self._ask(None if until is None else until + MICROSECOND)
        if self._is_utc(first.page):
            yield from self._down(first)
            return
        assert first.page.highest is not None
        yield from self._gap(Gap(self._window.after, self._window.until or first.page.highest, LOCAL))
        yield from (item for item in self._down(first) if isinstance(item, Slice))

    def _down(self, first: _Asked[P]) -> Iterator[Slice[P] | Gap]:
        """The slices and gaps from the first page on."""
        until = self._window.until
        asked: _Asked[P] | None = first
        while asked and asked.page.records and asked.page.lowest:
            page, lowest = asked.page, asked.page.lowest
            if lowest <= self._window.after:
                yield Slice(page, self._window.after, until)
                return
            step = self._continue(asked, lowest)
            yield from self._slice(page, step.bottom if step.own is page else lowest, until)
            if step.own is not None and step.own is not page:
                yield from self._slice(step.own, step.bottom, lowest)
            if step.gap is not None:
                yield from self._gap(step.gap)
            if step.following and _reaches_back(step.following.page, lowest):
                yield from self._gap(Gap(self._window.after, lowest, CONTRADICTED))
                return
            until, asked = (step.bottom if step.own is not None else lowest), step.following

    def _slice(self, page: P, after: datetime, until: datetime | None) -> Iterator[Slice[P]]:
        ends = [end for end in (until, self._window.until) if end is not None]
        end, after = min(ends, default=None), max(after, self._window.after)
        if end is None or after < end:
            yield Slice(page, after, end)

    def _gap(self, gap: Gap) -> Iterator[Gap]:
        after = max(gap.after, self._window.after)
        until = min(gap.until, self._window.until or gap.until)
        if after < until:
            yield Gap(after, until, gap.reason)

    def _continue(self, asked: _Asked[P], lowest: datetime) -> _Step[P]:
        """Ask for what lies at and below the lowest instant of a page."""
        self._largest = max(self._largest, asked.page.records)
        above = lowest + max(self._lift, self._unit or MICROSECOND)
        known = [asked.page]
        if self._is_new(above, asked):
            found = self._ask(above)
            if not _reaches(found.page, lowest):
                return self._doubt(asked, lowest, found)
            if _lowest(found.page) < lowest:
                return self._below(asked, found)
            if _lowest(found.page) == lowest:
                if self._has_room(found.page):
                    return _Step(None, found.page, lowest - MICROSECOND)
                if found.page.highest == lowest:
                    return self._tie(found, lowest)
                known.append(found.page)
        return self._exactly(asked, lowest, known)

    def _exactly(self, asked: _Asked[P], lowest: datetime, known: list[P]) -> _Step[P]:
        """Where a page is full within one printed unit: ask up to the instant itself, as the document has it."""
        exact = self._ask(lowest) if self._is_new(lowest, asked) else asked
        if exact.page.lowest == lowest and not self._has_room(exact.page):
            return self._tie(exact, lowest)
        there = exact.page.rows_at(lowest)
        if any(page.rows_at(lowest) - there for page in known):
            return self._unproven(exact, lowest, known)
        if _lowest(exact.page) < lowest:
            return self._below(asked, exact)
        return self._tie(exact, lowest)

    def _unproven(self, exact: _Asked[P], lowest: datetime, known: list[P]) -> _Step[P]:
        """Rows of this instant that came before did not come again: those that came are kept, more may be missing."""
        best = max(known, key=lambda page: page.rows_at(lowest).total())
        bottom, reason = lowest - MICROSECOND, UNPROVEN.format(records=best.rows_at(lowest).total())
        if exact.page.records and _lowest(exact.page) < lowest:
            return _Step(exact, best, bottom, Gap(bottom, lowest, reason))
        return _Step(None, best, bottom, Gap(self._window.after, lowest, reason))

    def _tie(self, exact: _Asked[P], lowest: datetime) -> _Step[P]:
        """Everything down to the page's end lies at one instant (one unit of the vendor's precision): was it cut?"""
        page = exact.page
        if self._has_room(page):
            return _Step(None, page, lowest - MICROSECOND)  # and there was nothing more to put in
        bottom = max(self._ceil(lowest) - self._precision, self._window.after)
        below = self._ask(bottom) if bottom > self._window.after else None
        is_full = page.records > 1 and page.records >= _NEARLY * (self._known_cut or self._page_rows)
        if page.records > 1 and not is_full and not (below and below.page.records):
            # nobody knows how many rows a page holds: if it shows others when it is asked again, there are more
            is_full = self._is_new(lowest, exact) and self._differs(page, self._ask(lowest).page, lowest)
        for _ in range(_ASKED_AGAIN if below and is_full else 0):
            if below is None or below.page.records:
                break
            # a full page, and nothing below it: again, to see whether the vendor still answers as it did
            if not _reaches(self._ask(exact.until).page, lowest):
                return _Step(None, page, bottom, Gap(self._window.after, lowest, CONTRADICTED))
            below = self._ask(bottom)
        if below and below.page.records:
            return _Step(below, page, bottom, self._cut(exact, lowest, bottom))
        return _Step(None, page, bottom, self._cut(exact, lowest, bottom) if is_full else None)

    def _differs(self, page: P, other: P, instant: datetime) -> bool:
        return page.rows_at(instant) != other.rows_at(instant)

    def _cut(self, exact: _Asked[P], lowest: datetime, bottom: datetime) -> Gap:
        """The gap at an instant of which a page does not hold all rows."""
        if not self._inclusive and self._is_new(lowest, exact):
            self._ask(lowest)
        if not self._inclusive:
            bottom -= self._precision  # rows at the very bound that was asked for are in no answer
        unit = max(self._precision, self._unit or MICROSECOND)
        if unit > MICROSECOND < lowest - bottom:  # what lies between these two may be printed as a lower instant
            bottom = _floor(bottom, unit) - MICROSECOND
        return Gap(bottom, lowest, TOO_MANY.format(records=exact.page.records))

    def _doubt(self, asked: _Asked[P], lowest: datetime, odd: _Asked[P]) -> _Step[P]:
        """The answer does not reach the instant that the page before has shown: ask again, and from further up.

        The vendor may round its bounds down; then a higher one helps, and is used from then on. The rows may have been
        updated meanwhile; then the page before, asked for again, has them no more either. Else the vendor contradicts
        itself, and what lies below is not proven.
        """
        page, kept = asked.page, lowest - MICROSECOND
        below = odd if odd.page.records else None
        for unit in (timedelta(0), SECOND, MINUTE):
            above = _ceil(lowest, unit) + unit if unit else odd.until
            if above is None or (unit and not self._is_new(above, asked)):
                break
            found = self._ask(above)
            if not _reaches(found.page, lowest):
                below = found if found.page.records else below
            elif _lowest(found.page) < lowest:
                self._lift = max(self._lift, unit)
                return self._below(asked, found) if found.page.rows_at(lowest) else _Step(found, page, kept)
            elif _lowest(found.page) == lowest and self._has_room(found.page):
                return _Step(None, found.page, kept)
        again = self._ask(asked.until)
        if _reaches(again.page, lowest) and _lowest(again.page) < lowest and not again.page.rows_at(lowest):
            return _Step(again, page, kept)
        after = below.page.highest if below and below.page.highest else self._window.after
        return _Step(below, page, kept, Gap(after, lowest, CONTRADICTED))

    def _below(self, asked: _Asked[P], found: _Asked[P]) -> _Step[P]:
        self._known_cut = max(self._known_cut, asked.page.records)
        return _Step(found)

    def _has_room(self, page: P) -> bool:
        """Whether other pages were larger, so that this one was not cut."""
        return page.records < _NEARLY * self._largest

    def _is_new(self, until: datetime, asked: _Asked[P]) -> bool:
        """Whether a bound asks for less than a page was asked for with."""
        return asked.until is None or self._ceil(until) < asked.until

    def _ask(self, until: datetime | None, oldest: datetime | None = None) -> _Asked[P]:
        until = None if until is None else self._ceil(until)
        # below the window by what may be rounded, so that the window's first instant is never lost
        oldest = _floor(oldest or self._window.after - (self._unit or MICROSECOND), max(self._precision, SECOND))
        page = self._fetch(oldest, until)
        if page.records:
            self._unit = min(self._unit or page.unit, page.unit)
            self._check(page, oldest, until)
            self._inclusive = self._inclusive or page.highest == until
        return _Asked(page, until)

    def _is_utc(self, page: P) -> bool:
        """Whether times without a zone are shown to be in UTC, as the bounds are: a row is found at its own time.

        No answer without a row shows anything. Rows of another time are BoundsIgnored.
        """
        lowest = page.lowest
        if page.zoned or lowest is None:
            return True
        return any(self._ask(lowest + MINUTE, lowest - MINUTE).page.records for _ in range(1 + _ASKED_AGAIN))

    def _check(self, page: P, oldest: datetime, until: datetime | None) -> None:
        """Raise BoundsIgnored where rows lie outside, by more than a rounding: it would be asked for ever."""
        lowest, highest = page.lowest, page.highest
        assert lowest is not None
        assert highest is not None
        rounding = max(self._unit or MICROSECOND, self._precision, self._lift)
        if lowest <= oldest - rounding or (until is not None and highest > until + rounding):
            asked = f"({oldest.isoformat()}, {until.isoformat() if until else 'now'}]"
            raise BoundsIgnored(
                f"asked for {asked}, got rows from {lowest.isoformat()} to {highest.isoformat()}: the vendor does not "
                "understand the bounds, or prints local times; check after_parameter, before_parameter and precision"
            )

    def _ceil(self, instant: datetime) -> datetime:
        return _ceil(instant, self._precision)


def _reaches(page: Page, instant: datetime) -> bool:
    return page.highest is not None and page.highest >= instant


def _reaches_back(page: Page, instant: datetime) -> bool:
    """Whether a page brings nothing below an instant."""
    return page.lowest is not None and page.lowest >= instant


def _lowest(page: Page) -> datetime:
    assert page.lowest is not None
    return page.lowest


def _floor(instant: datetime, unit: timedelta) -> datetime:
    return instant - (instant - EPOCH) % unit


def _ceil(instant: datetime, unit: timedelta) -> datetime:
    return instant + (EPOCH - instant) % unit
