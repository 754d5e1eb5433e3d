"""What a vendor allows, as data.

Here: `Window` and `Rule`, and whether a cost can be paid at all.
Add here when: a vendor's document limits something that windows, buckets and requests in flight cannot say.
Keep out: when a request may go (planner.py), what was spent so far (ledger.py), any one vendor's figures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Window:
    """At most `points` in any interval of `seconds`, as the vendor sees the requests arrive."""

    points: float
    seconds: float

    def __post_init__(self) -> None:
        if self.points <= 0 or self.seconds <= 0:
            raise ValueError(f"a window needs points and seconds above zero, not {self.points} in {self.seconds} s")

    @property
    def label(self) -> str:
        """The window's name in the store, for example "25/1"; it outlives a change of the rule's order."""
        return f"{self.points:g}/{self.seconds:g}"


Bucket = tuple[Window, ...]


@dataclass(frozen=True)
class Rule:
    """Everything a vendor limits: a request pays its cost at EVERY bucket.

    A bucket is a tuple of windows in order of preference; the first with room for the cost pays it WHOLE.

    - `in_flight`: how many requests may be under way at once; None for any number.
    - `margin`: by which share of the shortest window a request may arrive late at the vendor without meeting the
      next one: every window is stretched by so many seconds. It costs that share of the shortest window's speed.
    - `unknown_past`: what to assume of requests nobody remembers (a new or broken store, a reboot, a clock
      set back): that there were none, or that every window has just been spent.
    """

    buckets: tuple[Bucket, ...] = ()
    in_flight: int | None = None
    margin: float = 0.05
    unknown_past: Literal["free", "spent"] = "free"

    def __post_init__(self) -> None:
        if any(not bucket for bucket in self.buckets):
            raise ValueError("a bucket needs at least one window")
        if self.in_flight is not None and self.in_flight < 1:
            raise ValueError(f"in_flight must be 1 or more (or None for no bound), not {self.in_flight}")
        if not 0 <= self.margin < 1:
            raise ValueError(f"margin is a share from 0 up to 1, not {self.margin}")

    @property
    def has_choice(self) -> bool:
        """Whether the vendor decides between windows, so that which one paid has to be known."""
        return any(len(bucket) > 1 for bucket in self.buckets)

    @property
    def points_per_second(self) -> float | None:
        """What can be spent in the long run: of the tightest bucket, all its windows together. None: no bound."""
        speeds = [sum(window.points / (window.seconds + self.slack) for window in bucket) for bucket in self.buckets]
        return min(speeds, default=None)

    @property
    def slack(self) -> float:
        """Seconds a request may reach the vendor after its date in the book, by which every window is stretched."""
        return self.margin * min((window.seconds for window in self._windows), default=0.0)

    @property
    def grace(self) -> float:
        """Seconds of the slack that a process may need to wake up: so late, it still sends on the slot's date.

        Without it every late wake-up would move the slot, and each slot lost that way is lost speed.
        """
        return self.slack * 2 / 5

    @property
    def patience(self) -> float:
        """Seconds after its date at which a request must have started; the rest of the slack is the network's."""
        return self.slack * 3 / 5

    @property
    def memory(self) -> float:
        """Seconds after which a payment matters to no window any more."""
        return max((window.seconds for window in self._windows), default=0.0) + self.slack

    def check(self, cost: float) -> None:
        """Raise ValueError if no waiting would ever make room for `cost`."""
        if cost < 0:
            raise ValueError(f"a request cannot cost {cost:g} points")
        for bucket in self.buckets:
            most = max(window.points for window in bucket)
            if cost > most:
                raise ValueError(f"a request of {cost:g} points can never be sent: the rule allows {most:g} at most")

    @property
    def _windows(self) -> tuple[Window, ...]:
        return tuple(window for bucket in self.buckets for window in bucket)
