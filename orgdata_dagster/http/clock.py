"""Time, as one small object that can be replaced.

Here: the `Clock` that everything in `http/` waits and measures with, and the system's own.
Add here when: a kind of time is needed that neither wall() nor monotonic() gives.
Keep out: rate limits, time zones, anything that parses or formats a date; the fake clock (it is the tests').
"""

from __future__ import annotations

import time
from typing import Protocol

from orgdata_dagster.http import stopping


class Clock(Protocol):
    """Where the time comes from; tests pass one that only moves when told to."""

    def wall(self) -> float:
        """Unix time in seconds; may jump when somebody sets the machine's clock."""

    def monotonic(self) -> float:
        """Seconds since the machine booted: the same for all processes, never set, never backwards."""

    def sleep(self, seconds: float) -> None:
        """Wait so many seconds; zero or less returns at once. May raise stopping.Stopped."""


class SystemClock:
    """The machine's clocks."""

    # Not CLOCK_MONOTONIC: that one stands still while a laptop sleeps, and a vendor's window does not.
    # Where the name does not exist (macOS), time.monotonic is system-wide too.
    _since_boot = getattr(time, "CLOCK_BOOTTIME", None)

    def wall(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        if self._since_boot is None:
            return time.monotonic()
        return time.clock_gettime(self._since_boot)

    def sleep(self, seconds: float) -> None:
        if seconds > 0:
            stopping.sleep(seconds)


SYSTEM = SystemClock()
