"""Logical time: the time of payments, which does not change when the machine's clock is set.

Here: `advance`, which turns clock readings into seconds that never decrease, and detects an unknown past.
Add here when: a machine's clocks can be wrong in another way.
Keep out: storing the anchor (reservations.py), waiting.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

from orgdata_dagster.http.clock import Clock

# Seconds. A wall clock that falls back further than this was set.
_SET_BACK = 1.0


class ClockReading(NamedTuple):
    """All clocks at one moment, and the id of the machine's boot."""

    wall: float
    monotonic: float
    boot: str


class Anchor(NamedTuple):
    """A moment of logical time with the reading of the real clocks."""

    logical: float
    reading: ClockReading


def read_clocks(clock: Clock, boot: str) -> ClockReading:
    return ClockReading(clock.wall(), clock.monotonic(), boot)


@cache
def boot_id() -> str:
    """The kernel's id of the current boot; empty on systems without one, on which a lower uptime shows a reboot."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def advance(anchor: Anchor | None, reading: ClockReading) -> tuple[float, bool]:
    """The logical time in seconds, and whether the past is known.

    Within one boot, logical time follows the monotonic clock, so setting the wall clock has no effect. After a reboot
    it follows the wall clock, but never backwards. The past is unknown without an anchor, after the wall clock was set
    back, and after every reboot, because a power failure may have lost the last payments.
    """
    if anchor is None:
        return reading.wall, False
    by_wall = reading.wall - anchor.reading.wall
    by_monotonic = reading.monotonic - anchor.reading.monotonic
    if reading.boot != anchor.reading.boot or by_monotonic < 0:
        return anchor.logical + max(0.0, by_wall), False
    return anchor.logical + by_monotonic, by_wall >= by_monotonic - _SET_BACK
