"""The number of concurrent requests, limited by locks that end with their process.

Here: `take_lease`, which holds one of n locks during a request.
Add here when: another limit has to end when its process dies.
Keep out: points and windows (planner.py); how locks are held (state/).
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from orgdata_dagster.http.clock import Clock
from orgdata_dagster.http.waiting import SHORTEST
from orgdata_dagster.state import Held, State, stopping

# Seconds between attempts: short at first, for exchanges of a few ms, then longer, so that a long wait costs little.
_FIRST_POLL, _LONGEST_POLL = 0.002, 0.1


class NoLease(Exception):
    """All leases were taken until the deadline."""


@contextmanager
def take_lease(
    state: State,
    names: Sequence[str],
    clock: Clock,
    deadline: float | None,
    notify: Callable[[], None],
    turn: threading.Lock,
) -> Iterator[None]:
    """Wait for one of these locks to be free, and hold it while the block runs. The lock ends with the process.

    deadline: a time of `clock.monotonic()`; None: no limit.
    notify: called once if the wait takes seconds.
    turn: held by the thread of this process that looks for a free lock. If each waiting thread looked, that would take
        a tenth of the CPU time of a pull with many small requests.

    Raises NoLease at the deadline.
    """
    quiet_until = clock.monotonic() + SHORTEST
    held = None if turn.locked() else state.lease(names)
    if held is None:
        if not turn.acquire(timeout=-1 if deadline is None else max(0.0, deadline - clock.monotonic())):
            raise NoLease
        try:
            stopping.check()
            held = _polled(state, names, clock, deadline, notify, quiet_until)
        finally:
            turn.release()
    try:
        yield
    finally:
        held.release()


def _polled(
    state: State,
    names: Sequence[str],
    clock: Clock,
    deadline: float | None,
    notify: Callable[[], None],
    quiet_until: float,
) -> Held:
    poll = _FIRST_POLL
    while (held := state.lease(names)) is None:
        left = poll if deadline is None else deadline - clock.monotonic()
        if left <= 0:
            raise NoLease
        if clock.monotonic() > quiet_until:
            quiet_until = math.inf
            notify()
        clock.sleep(min(poll, left))
        poll = min(1.2 * poll, _LONGEST_POLL)
    return held
