"""What a walk backwards through time receives and yields: ranges of time, pages, slices and gaps.

Here: these types, and units of time. Add here when: a walk has another kind of result. Keep out: the walk (walk.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Generic, Protocol, TypeVar

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND, SECOND, MINUTE = timedelta(microseconds=1), timedelta(seconds=1), timedelta(minutes=1)


def floor(instant: datetime, unit: timedelta) -> datetime:
    """The last multiple of a unit up to an instant."""
    return instant - (instant - EPOCH) % unit


def ceil(instant: datetime, unit: timedelta) -> datetime:
    """The first multiple of a unit from an instant on."""
    return instant + (EPOCH - instant) % unit


class TimedPage(Protocol):
    """A fetched page and the instants of its rows.

    records: number of rows.
    lowest, highest: the first and the last instant; None if there are no rows.
    unit: the largest unit, up to a minute, of which all instants are multiples.
    zoned: whether the instants state their zone.
    """

    @property
    def records(self) -> int: ...
    @property
    def lowest(self) -> datetime | None: ...
    @property
    def highest(self) -> datetime | None: ...
    @property
    def unit(self) -> timedelta: ...
    @property
    def zoned(self) -> bool: ...
    @property
    def rows_at(self) -> Callable[[datetime], Counter[Hashable]]:
        """Returns a function: instant -> its rows, as anything hashable that tells them apart."""


P = TypeVar("P", bound=TimedPage)


@dataclass(frozen=True)
class TimeRange:
    """The rows to read: `after < instant <= until`. Without `until`, up to the vendor's current time."""

    after: datetime
    until: datetime | None


@dataclass(frozen=True)
class Slice(Generic[P]):
    """A page, of which only the rows with `after < instant <= until` count. All rows of that range are on this page."""

    page: P
    after: datetime
    until: datetime | None


@dataclass(frozen=True)
class Gap:
    """A range `after < instant <= until` in which rows may be missing, and the reason."""

    after: datetime
    until: datetime
    reason: str


class BoundsIgnored(Exception):
    """The vendor returned rows outside the requested range: it does not know the parameters with the bounds."""
