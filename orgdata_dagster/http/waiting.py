"""Announcing waits: what a request waits for, and until when.

Here: `Wait`, `announce` for code that waits, `watch` for code that shows waits.
Add here when: users need another fact about a wait.
Keep out: the waits themselves (retry.py, rate_limit/), showing them (a run's log, the terminal).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from orgdata_dagster.http.clock import Clock

# Seconds; shorter waits are not announced, because rate limits cause them all the time.
SHORTEST = 2.0


@dataclass(frozen=True)
class Wait:
    """A request to `vendor` waits for `reason`. `seconds` and `until` (UTC) are None if the end is unknown."""

    vendor: str
    reason: str
    seconds: float | None = None
    until: datetime | None = None

    def __str__(self) -> str:
        if self.until is None or self.seconds is None:
            return f"waiting for {self.reason}"
        return f"waiting for {self.reason} until {self.until:%H:%M:%S} UTC ({self.seconds:.0f} s)"


def span(seconds: float) -> str:
    """A duration as text: `45 s`, `15 min`, `2 h`, `3 d`."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size or (seconds == size and unit == "min"):
            return f"{seconds / size:,.0f} {unit}"
    return f"{seconds:.0f} s"


Watcher = Callable[[Wait], None]
_watchers: list[Watcher] = []


def announce(vendor: str, reason: str, seconds: float | None, clock: Clock) -> None:
    """Pass a wait that starts to all watchers in this process. Short waits are not announced."""
    if seconds is not None and seconds < SHORTEST:
        return
    until = None if seconds is None else datetime.fromtimestamp(clock.wall() + seconds, UTC)
    for watcher in list(_watchers):
        watcher(Wait(vendor, reason, seconds, until))


@contextmanager
def watch(watcher: Watcher) -> Iterator[None]:
    """Call `watcher` for every wait until the context ends, in the thread that waits."""
    _watchers.append(watcher)
    try:
        yield
    finally:
        _watchers.remove(watcher)
