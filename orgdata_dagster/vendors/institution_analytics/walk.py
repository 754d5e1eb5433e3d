"""Walking backwards through a window of time, page by page, without losing a row.

Here: the paging rule of the institution's analytics API, as a pure function over "fetch one page". Nothing else.

The API returns the newest rows of `(after, until]` first and cuts the page somewhere, perhaps between two rows of the
same instant. The document's next step ("one second prior to the minimum") would lose what shares that second. So the
next page is asked for up to and including the lowest instant of the last one, and that instant is taken from the new
page alone: every row belongs to exactly one page by its instant, however many share it, and no row is compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Generic, Protocol, TypeVar

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
_NEARLY = 0.9  # "up to approximately": a page of nine tenths of another one may be just as full


class Page(Protocol):
    """A fetched page: its number of rows and the instants between which they lie (None if there are none)."""

    @property
    def records(self) -> int: ...
    @property
    def lowest(self) -> datetime | None: ...
    @property
    def highest(self) -> datetime | None: ...


P = TypeVar("P", bound=Page)


@dataclass(frozen=True)
class Window:
    """The part of the time line to read: `after < instant <= until`; no `until` means up to the vendor's now."""

    after: datetime
    until: datetime | None


@dataclass(frozen=True)
class Slice(Generic[P]):
    """A page, and the part of the time line for which it is the authority: only `after < instant <= until` counts."""

    page: P
    after: datetime
    until: datetime | None


@dataclass(frozen=True)
class Gap:
    """Instants `after < instant <= until` at which the vendor has more rows than a page holds: nobody can read all."""

    after: datetime
    until: datetime
    records: int


class BoundsIgnored(Exception):
    """The vendor returned rows outside the window: it does not know the parameters that carry the bounds."""


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
    oldest = _floor(window.after, precision)
    until, ask = window.until, _ceil(window.until, precision) if window.until else None
    largest = 0  # rows of the largest page so far: no page smaller than that was cut
    known_cut = 0  # rows of the largest page that was certainly cut: rows came to light below it
    previous = 0
    page = fetch(oldest, ask)
    while page.records:
        lowest = _checked(page, oldest, ask)
        if until is None or lowest < until:
            known_cut = max(known_cut, previous)
            bottom = max(lowest, window.after)
            yield Slice(page, bottom, until)
            if lowest <= window.after:
                return
            previous, largest = page.records, max(largest, page.records)
            until, ask = lowest, _ceil(lowest, precision)
            page = fetch(oldest, ask)
            continue
        # No progress: everything on the page lies at one instant (one unit of the vendor's precision).
        assert ask is not None
        step = max(ask - precision, window.after)
        yield Slice(page, step, until)
        if page.records < _NEARLY * largest:
            return  # other pages were larger, so this one had room, and there was nothing more to put in
        below = fetch(oldest, step) if step > window.after else None
        if below is not None and below.records:
            previous = page.records
            yield Gap(step, until, page.records)
            page, until, ask = below, step, step
            continue
        if page.records > 1 and page.records >= _NEARLY * (known_cut or page_rows):
            yield Gap(step, until, page.records)
        return


def _checked(page: Page, oldest: datetime, ask: datetime | None) -> datetime:
    """The page's lowest instant. Raises BoundsIgnored, without which such a vendor would be asked for ever."""
    assert page.lowest is not None
    assert page.highest is not None
    if page.lowest <= oldest or (ask is not None and page.highest > ask):
        asked = f"({oldest.isoformat()}, {ask.isoformat() if ask else 'now'}]"
        raise BoundsIgnored(
            f"asked for {asked}, got rows from {page.lowest.isoformat()} to {page.highest.isoformat()}: "
            "the vendor does not understand the bounds; check after_parameter, before_parameter and precision"
        )
    return page.lowest


def _floor(instant: datetime, unit: timedelta) -> datetime:
    return instant - (instant - EPOCH) % unit


def _ceil(instant: datetime, unit: timedelta) -> datetime:
    return instant + (EPOCH - instant) % unit
