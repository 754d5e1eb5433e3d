"""The number of concurrent requests, limited by kernel locks.

Here: `take_lease`, which holds one of n lock files during a request.
Add here when: another limit has to end when its process dies.
Keep out: points and windows (planner.py); anything that needs a clean-up after a crash.
"""

from __future__ import annotations

import fcntl
import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from orgdata_dagster.http.clock import Clock
from orgdata_dagster.http.rate_limit.forks import watch
from orgdata_dagster.http.waiting import SHORTEST

# Seconds between attempts: short at first, for exchanges of a few ms, then longer, so that a long wait costs little.
_FIRST_POLL, _LONGEST_POLL = 0.002, 0.1


class NoLease(Exception):
    """All leases were taken until the deadline."""


class _OpenFiles:
    """The lock files, opened once per request, so that threads compete like processes."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.descriptors: list[int] = []
        watch(self)
        for path in paths:
            self.descriptors.append(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))

    def try_lock(self) -> int | None:
        """Lock a free file; returns its descriptor, or None if all are locked."""
        for descriptor in self.descriptors:
            with suppress(BlockingIOError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return descriptor
        return None

    def forget(self) -> None:
        """Close the files. A lock ends when no process has its file open, so a forked child must close its copies."""
        for descriptor in self.descriptors:
            os.close(descriptor)
        self.descriptors = []


@contextmanager
def take_lease(paths: Sequence[Path], clock: Clock, deadline: float | None, tell: Callable[[], None]) -> Iterator[None]:
    """Wait for a free lock file, and hold it while the block runs. The kernel releases it if the process dies.

    deadline: a time of `clock.monotonic()`; None: no limit.
    tell: called once if the wait takes seconds.

    Raises NoLease at the deadline.
    """
    files = _OpenFiles(paths)
    try:
        poll = _FIRST_POLL
        quiet_until = clock.monotonic() + SHORTEST
        while files.try_lock() is None:
            left = poll if deadline is None else deadline - clock.monotonic()
            if left <= 0:
                raise NoLease
            if clock.monotonic() > quiet_until:
                quiet_until = math.inf
                tell()
            clock.sleep(min(poll, left))
            poll = min(1.5 * poll, _LONGEST_POLL)
        yield
    finally:
        files.forget()
