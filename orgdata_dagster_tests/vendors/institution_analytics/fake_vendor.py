"""The institution's analytics API as a pure function, as documented, and with deviations that vendors may have.

    up to approximately `page_rows` rows, newest first, with `updated_after < updated_date <= updated_before`;
    without `updated_before` up to the vendor's now; rows that are updated meanwhile move to now

Here: the vendor's side of the walk's property tests. Keep out: HTTP (the sandbox has that).
"""

import random
from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from orgdata_dagster.vendors.institution_analytics.time_ranges import EPOCH, MICROSECOND, MINUTE, SECOND

MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True)
class FakePage:
    """Rows as (key, instant as it is printed)."""

    rows: tuple[tuple[int, datetime], ...]
    zoned: bool = True

    @property
    def records(self) -> int:
        return len(self.rows)

    @property
    def lowest(self) -> datetime | None:
        return min((at for _, at in self.rows), default=None)

    @property
    def highest(self) -> datetime | None:
        return max((at for _, at in self.rows), default=None)

    @property
    def unit(self) -> timedelta:
        units = (MINUTE, SECOND, MILLISECOND, MICROSECOND)
        return next(unit for unit in units if not any((at - EPOCH) % unit for _, at in self.rows))

    @property
    def rows_at(self) -> Callable[[datetime], Counter[Hashable]]:
        return lambda instant: Counter(row for row in self.rows if row[1] == instant)


@dataclass
class FakeVendor:
    """The vendor.

    updates: number of a request, from 1 -> the rows that are updated before it.
    precision: the finest unit of bounds that it understands.
    printed: the unit to which printed instants are rounded down.
    inclusive: whether a row at the upper bound is returned.
    offset: how far printed times, which have no zone, are ahead of UTC.
    empty: the requests that it answers without rows, although it has some.
    down: the request from which on all answers are empty.
    """

    instants: list[datetime]
    now: datetime
    page_rows: int
    precision: timedelta = MICROSECOND
    updates: Mapping[int, set[int]] = field(default_factory=dict)
    seed: int = 0
    requests: int = 0
    printed: timedelta = MICROSECOND
    inclusive: bool = True
    offset: timedelta = timedelta(0)
    empty: frozenset[int] = frozenset()
    down: int = 1_000_000

    def __post_init__(self) -> None:
        self.moved: set[int] = set()
        self._at = dict(enumerate(self.instants))
        self._random = random.Random(self.seed)

    def shown(self, at: datetime) -> datetime:
        """An instant in the printed form."""
        there = at + self.offset
        return there - (there - EPOCH) % self.printed

    def fetch(self, after: datetime, until: datetime | None) -> FakePage:
        self.requests += 1
        assert self.requests <= 6 * len(self.instants) + 60, "the walk does not end"
        for bound in filter(None, (after, until)):
            assert not (bound - EPOCH) % self.precision, f"the vendor does not understand {bound}"
        self.now += timedelta(seconds=1)
        for row in self.updates.get(self.requests, set()):
            self._at[row] = self.now
            self.moved.add(row)
        if self.requests in self.empty or self.requests >= self.down:
            return FakePage(())
        # rows of one instant come in no order, another one each time
        shuffled = self._random.sample(list(self._at.items()), len(self._at))
        found = [(row, at) for row, at in shuffled if after < at and self._below(at, until or self.now)]
        found.sort(key=lambda item: item[1], reverse=True)
        return FakePage(tuple((row, self.shown(at)) for row, at in found[: self._size()]), not self.offset)

    def _below(self, at: datetime, until: datetime) -> bool:
        return at <= until if self.inclusive else at < until

    def _size(self) -> int:
        """The approximate page size: up to a tenth less, in whole rows."""
        return self.page_rows - self._random.randint(0, self.page_rows // 10)
