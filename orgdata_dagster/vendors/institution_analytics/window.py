"""What a walk through a window of time works with and what it yields.

Here: pages, windows, slices, gaps. Add here when: a walk has another kind of result. Keep out: the walk (walk.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, Protocol, TypeVar


class Page(Protocol):
    """A fetched page: its number of rows, the instants between which they lie (None if there are none), the largest
    unit, up to a minute, of which all instants are multiples, and whether they say their zone."""

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
        """The rows of an instant, by anything that tells them apart."""


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
    """Instants `after < instant <= until` of which not all rows can be shown to be there, and why."""

    after: datetime
    until: datetime
    reason: str


class BoundsIgnored(Exception):
    """The vendor returned rows outside the window: it does not know the parameters that carry the bounds."""
