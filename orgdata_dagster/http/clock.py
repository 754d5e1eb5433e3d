"""Time, as an object that tests can replace.

Here: the `Clock` with which `http/` waits and measures, and the system's clock.
Add here when: a kind of time is needed that neither wall() nor monotonic() returns.
Keep out: rate limits, time zones, parsing and formatting dates; the fake clock (in the tests).
"""

from __future__ import annotations

import time
from typing import Protocol

from orgdata_dagster.state import stopping


class Clock(Protocol):
    """The source of time; tests pass a clock that they move themselves."""

    def wall(self) -> float:
        """Unix time in seconds; jumps when the machine's clock is set."""

    def monotonic(self) -> float:
        """Seconds since the machine booted: the same for all processes, never set, never decreasing."""

    def sleep(self, seconds: float) -> None:
        """Wait this many seconds; returns at once for zero or less. May raise stopping.Stopped."""


class SystemClock:
    """The machine's clocks."""

    # Not CLOCK_MONOTONIC, which stops while a laptop sleeps; a vendor's window does not.
    # macOS does not have this name; there time.monotonic is the same for all processes too.
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
