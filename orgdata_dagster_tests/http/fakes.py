"""Replacements for clocks and senders in the tests of `http/`.

Here: a clock that tests move by hand, and a sender that sends nothing.
Add here when: two test modules need the same replacement.
Keep out: tests; servers.
"""

from __future__ import annotations

import threading

from orgdata_dagster.http.rate_limit import RateLimit


class FakeClock:
    """Time that passes only in sleep(), at once; `slept` lists every sleep in seconds."""

    def __init__(self, wall: float = 1_700_000_000.0, monotonic: float = 1000.0) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self.slept: list[float] = []

    def wall(self) -> float:
        with self._lock:
            return self._wall

    def monotonic(self) -> float:
        with self._lock:
            return self._monotonic

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.slept.append(seconds)
            self._wall += max(0.0, seconds)
            self._monotonic += max(0.0, seconds)

    def jump(self, seconds: float) -> None:
        """Set the machine's clock: only the wall time changes."""
        with self._lock:
            self._wall += seconds


def spend(rate_limit: RateLimit, times: int = 1, cost: float = 1) -> float:
    """Send requests; the seconds waited for the last."""
    for _ in range(times):
        with rate_limit.spend(cost) as permit:
            permit.sent()
    return permit.waited
