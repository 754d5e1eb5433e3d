"""A time that no one can set: what payments are dated with.

Here: `advance`, which turns clock readings into seconds that only ever grow, and says when the past got lost.
Add here when: another way is found in which a machine's clocks lie.
Keep out: the store that remembers the anchor (ledger.py); waiting.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

from orgdata_dagster.http.clock import Clock

# A wall clock that falls back further than this against the monotonic one was set, not read unluckily.
_SET_BACK = 1.0


class Reading(NamedTuple):
    """All clocks at one moment, and which boot of the machine it was."""

    wall: float
    monotonic: float
    boot: str


class Anchor(NamedTuple):
    """A moment of logical time, pinned to a reading of the real clocks."""

    logical: float
    reading: Reading


def read_clocks(clock: Clock, boot: str) -> Reading:
    return Reading(clock.wall(), clock.monotonic(), boot)


@cache
def boot_id() -> str:
    """The kernel's name for the present boot; empty where there is none (the uptime falling tells a reboot)."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def advance(anchor: Anchor | None, reading: Reading) -> tuple[float, bool]:
    """Logical seconds now, and whether the past is known.

    Within one boot the logical time follows the monotonic clock, so setting the wall clock moves nothing. Over
    a reboot only the wall clock can tell, and it is believed forwards only. The past is unknown without an
    anchor; when the wall clock was set back; and after every reboot: a power cut may have taken the last
    payments with it.
    """
    if anchor is None:
        return reading.wall, False
    by_wall = reading.wall - anchor.reading.wall
    by_monotonic = reading.monotonic - anchor.reading.monotonic
    if reading.boot != anchor.reading.boot or by_monotonic < 0:
        return anchor.logical + max(0.0, by_wall), False
    return anchor.logical + by_monotonic, by_wall >= by_monotonic - _SET_BACK
