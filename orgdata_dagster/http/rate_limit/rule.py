"""Rate limits as data.

Here: `Window` and `Rule`, and whether a cost can be paid at all.
Add here when: a vendor's document has a limit that windows, buckets and concurrent requests cannot express.
Keep out: when a request may be sent (planner.py), what was spent (reservations.py), one vendor's figures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Window:
    """At most `points` in any interval of `seconds`, by the arrival of the requests."""

    points: float
    seconds: float

    def __post_init__(self) -> None:
        if self.points <= 0 or self.seconds <= 0:
            raise ValueError(f"a window needs points and seconds above zero, not {self.points} in {self.seconds} s")

    @property
    def label(self) -> str:
        """The window's name in the store, for example "25/1"; independent of the order in the rule."""
        return f"{self.points:g}/{self.seconds:g}"


Bucket = tuple[Window, ...]


@dataclass(frozen=True)
class Rule:
    """All limits of a vendor.

    buckets: a request is charged to EVERY bucket. A bucket is a tuple of windows in order of preference; the first one
        with enough room is charged the WHOLE cost.
    in_flight: number of concurrent requests; None for any number.
    margin: how late a request may arrive, as a share of the shortest window. Every window is longer by this time, which
        costs that share of the shortest window's speed.
    unknown_past: what to assume if the past is unknown (a new or broken store, a reboot, a clock that was set back): no
        requests, or that every window has just been spent.
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
        """Whether a bucket has several windows, so that it matters which one is charged."""
        return any(len(bucket) > 1 for bucket in self.buckets)

    @property
    def points_per_second(self) -> float | None:
        """The points per second in the long run: those of the tightest bucket, all windows together. None: no limit."""
        speeds = [sum(window.points / (window.seconds + self.slack) for window in bucket) for bucket in self.buckets]
        return min(speeds, default=None)

    @property
    def slack(self) -> float:
        """Seconds by which a request may arrive later than recorded; every window is longer by this time."""
        return self.margin * min((window.seconds for window in self._windows), default=0.0)

    @property
    def grace(self) -> float:
        """Seconds of the slack that a process may need to wake up without losing its slot.

        Without it, every late wake-up would move the slot, which costs speed.
        """
        return self.slack * 2 / 5

    @property
    def patience(self) -> float:
        """Seconds after its recorded time by which a request must be sent; the rest of the slack is for the network."""
        return self.slack * 3 / 5

    @property
    def memory(self) -> float:
        """Seconds after which a payment no longer matters for any window."""
        return max((window.seconds for window in self._windows), default=0.0) + self.slack

    def check(self, cost: float) -> None:
        """Raise ValueError if there can never be room for `cost`."""
        if cost < 0:
            raise ValueError(f"a request cannot cost {cost:g} points")
        for bucket in self.buckets:
            most = max(window.points for window in bucket)
            if cost > most:
                raise ValueError(f"a request of {cost:g} points can never be sent: the rule allows {most:g} at most")

    @property
    def _windows(self) -> tuple[Window, ...]:
        return tuple(window for bucket in self.buckets for window in bucket)
