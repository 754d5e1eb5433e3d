"""Telling whoever watches what a request waits for, and until when: nobody waits in silence.

What lives here: `Wait`, `announce` for whoever waits, `watch` for whoever shows it.
Add here when: a wait has one more fact that a person needs.
Keep out: waiting itself (`retry`, `rate_limit`), showing it (a run's log, the terminal).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from orgdata_dagster.http.clock import Clock

# Seconds below which a wait is no news: rate limits make requests wait for moments all the time.
SHORTEST = 2.0


@dataclass(frozen=True)
class Wait:
    """A request to `vendor` waits for `reason`; `seconds` and `until` (UTC) are None where the end is not known."""

    vendor: str
    reason: str
    seconds: float | None = None
    until: datetime | None = None

    def __str__(self) -> str:
        if self.until is None or self.seconds is None:
            return f"waiting for {self.reason}"
        return f"waiting until {self.until:%H:%M:%S} UTC ({self.seconds:.0f} s) for {self.reason}"


def span(seconds: float) -> str:
    """`45 s`, `15 min`, `2 h`, `3 d`: a time as a person says it."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size or (seconds == size and unit == "min"):
            return f"{seconds / size:,.0f} {unit}"
    return f"{seconds:.0f} s"


Watcher = Callable[[Wait], None]
_watchers: list[Watcher] = []


def announce(vendor: str, reason: str, seconds: float | None, clock: Clock) -> None:
    """Tell everybody who watches in this process about a wait that begins; short ones are left out."""
    if seconds is not None and seconds < SHORTEST:
        return
    until = None if seconds is None else datetime.fromtimestamp(clock.wall() + seconds, UTC)
    for watcher in list(_watchers):
        watcher(Wait(vendor, reason, seconds, until))


@contextmanager
def watch(watcher: Watcher) -> Iterator[None]:
    """Have `watcher` called until the context ends, from whichever thread waits."""
    _watchers.append(watcher)
    try:
        yield
    finally:
        _watchers.remove(watcher)
