"""The number of concurrent requests, limited by locks that end with their process.

Here: `take_lease`, which holds one of n locks during a request.
Add here when: another limit has to end when its process dies.
Keep out: points and windows (planner.py); how locks are held (state/).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from orgdata_dagster.http.clock import Clock
from orgdata_dagster.http.waiting import SHORTEST
from orgdata_dagster.state import State

# Seconds between attempts: short at first, for exchanges of a few ms, then longer, so that a long wait costs little.
_FIRST_POLL, _LONGEST_POLL = 0.002, 0.1


class NoLease(Exception):
    """All leases were taken until the deadline."""


@contextmanager
def take_lease(
    state: State, names: Sequence[str], clock: Clock, deadline: float | None, notify: Callable[[], None]
) -> Iterator[None]:
    """Wait for one of these locks to be free, and hold it while the block runs. The lock ends with the process.

    deadline: a time of `clock.monotonic()`; None: no limit.
    notify: called once if the wait takes seconds.

    Raises NoLease at the deadline.
    """
    poll = _FIRST_POLL
    quiet_until = clock.monotonic() + SHORTEST
    while (held := state.lease(names)) is None:
        left = poll if deadline is None else deadline - clock.monotonic()
        if left <= 0:
            raise NoLease
        if clock.monotonic() > quiet_until:
            quiet_until = math.inf
            notify()
        clock.sleep(min(poll, left))
        poll = min(1.5 * poll, _LONGEST_POLL)
    try:
        yield
    finally:
        held.release()
