"""octolis' paging without HTTP: records by instant, newest first, that change between the requests.

Here: the fake of one dataset and what may happen to it. Keep out: the walk, and what tests expect of it.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from orgdata_dagster.vendors.octolis.walk import RankRange

EPOCH = datetime(2026, 3, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)

Happening = tuple[Literal["touch", "insert", "delete"], int]


def at(second: float) -> datetime:
    return EPOCH + SECOND * second


@dataclass(frozen=True)
class FakePage:
    """Records as (id, instant), newest first."""

    rows: tuple[tuple[int, datetime], ...]

    @property
    def records(self) -> int:
        return len(self.rows)

    @property
    def lowest(self) -> datetime | None:
        return min((instant for _, instant in self.rows), default=None)

    @property
    def highest(self) -> datetime | None:
        return max((instant for _, instant in self.rows), default=None)


class FakeVendor:
    """`happenings`: request number (from 2) -> what happens before it is answered. A touched or inserted record gets
    the vendor's now, later than everything before. Without `stable_ties` a tie comes in another order each time.
    `empty`: which requests (from 1) are answered without a record; `down`: from which one on all are."""

    def __init__(
        self,
        instants: Sequence[datetime],
        happenings: Mapping[int, Sequence[Happening]] | None = None,
        *,
        stable_ties: bool = True,
        empty: frozenset[int] = frozenset(),
        down: int = 1_000_000,
    ) -> None:
        self.held = dict(enumerate(instants))
        self.touched: set[int] = set()
        self.requests: list[RankRange] = []
        self.counts = 0
        self.empty = empty
        self.down = down
        self.happenings = happenings or {}
        self.stable_ties = stable_ties
        self._random = random.Random(1)
        self._now = max(instants, default=EPOCH)

    def fetch(self, ranks: RankRange) -> FakePage:
        self.requests.append(ranks)
        for happening in self.happenings.get(len(self.requests), ()):
            self._happen(*happening)
        if len(self.requests) in self.empty or len(self.requests) >= self.down:
            return FakePage(())
        chance = (lambda _: 0.0) if self.stable_ties else (lambda _: self._random.random())
        ordered = sorted(self.held.items(), key=lambda row: (row[1], chance(row), row[0]), reverse=True)
        return FakePage(tuple(ordered[ranks.first : ranks.end]))

    def count(self) -> int:
        self.counts += 1
        return len(self.held)

    def quiet(self) -> None:
        """Stop all changes."""
        self.happenings = {}

    def _happen(self, what: str, number: int) -> None:
        if what == "insert":
            self._now += SECOND
            self.held[10_000 + len(self.touched)] = self._now
            self.touched.add(10_000 + len(self.touched))
        elif self.held:
            key = sorted(self.held)[number % len(self.held)]
            if what == "touch":
                self._now += SECOND
                self.held[key] = self._now
                self.touched.add(key)
            else:
                del self.held[key]
