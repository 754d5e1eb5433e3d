"""The institution's analytics API as a pure function, to the letter of its document.

    up to approximately `page_rows` rows, newest first, with `updated_after < updated_date <= updated_before`;
    without `updated_before` up to the vendor's now; rows that are updated meanwhile move to now

What lives here: the vendor's side of the walk's property test. Keep out: HTTP (the sandbox has that).
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from orgdata_dagster.vendors.institution_analytics.walk import EPOCH, MICROSECOND


@dataclass(frozen=True)
class FakePage:
    """Rows as (key, instant)."""

    rows: tuple[tuple[int, datetime], ...]

    @property
    def records(self) -> int:
        return len(self.rows)

    @property
    def lowest(self) -> datetime | None:
        return min((at for _, at in self.rows), default=None)

    @property
    def highest(self) -> datetime | None:
        return max((at for _, at in self.rows), default=None)


@dataclass
class FakeVendor:
    """`updates`: before which request (from 1) which rows move to now. `precision`: the finest bound it understands."""

    instants: list[datetime]
    now: datetime
    page_rows: int
    precision: timedelta = MICROSECOND
    updates: Mapping[int, set[int]] = field(default_factory=dict)
    seed: int = 0
    requests: int = 0

    def __post_init__(self) -> None:
        self.moved: set[int] = set()
        self._at = dict(enumerate(self.instants))
        self._random = random.Random(self.seed)

    def fetch(self, after: datetime, until: datetime | None) -> FakePage:
        self.requests += 1
        assert self.requests <= 3 * len(self.instants) + 5, "the walk does not end"
        for bound in filter(None, (after, until)):
            assert not (bound - EPOCH) % self.precision, f"the vendor does not understand {bound}"
        self.now += timedelta(seconds=1)
        for row in self.updates.get(self.requests, set()):
            self._at[row] = self.now
            self.moved.add(row)
        # rows of one instant come in no order, another one each time
        shuffled = self._random.sample(list(self._at.items()), len(self._at))
        found = [(row, at) for row, at in shuffled if after < at <= (until or self.now)]
        found.sort(key=lambda item: item[1], reverse=True)
        return FakePage(tuple(found[: self._size()]))

    def _size(self) -> int:
        """Approximately a page: up to a tenth less, where that is a whole row."""
        return self.page_rows - self._random.randint(0, self.page_rows // 10)
