"""How many requests are under way at once, counted by the kernel.

Here: `take_lease`: one of n lock files, held while a request is under way.
Add here when: another bound has to end with the life of a process.
Keep out: points and windows (planner.py); anything that would need cleaning up after a crash.
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

# The poll between tries starts short, for exchanges of a few ms, and grows to what costs nothing in a minute.
_FIRST_POLL, _LONGEST_POLL = 0.002, 0.1


class NoLease(Exception):
    """The deadline passed while all leases were taken."""


class _OpenFiles:
    """The lock files of one taker. Each taker opens its own, so threads compete as processes do."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.descriptors: list[int] = []
        watch(self)
        for path in paths:
            self.descriptors.append(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))

    def try_lock(self) -> int | None:
        """The descriptor of a file that nobody held, now locked; None if all are held."""
        for descriptor in self.descriptors:
            with suppress(BlockingIOError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return descriptor
        return None

    def forget(self) -> None:
        """Close the files. A lock ends when nobody has its file open any more: so in a forked child this gives
        up the inherited copy, and the lease ends with the parent alone.
        """
        for descriptor in self.descriptors:
            os.close(descriptor)
        self.descriptors = []


@contextmanager
def take_lease(paths: Sequence[Path], clock: Clock, deadline: float | None, tell: Callable[[], None]) -> Iterator[None]:
    """Hold one of the lock files while the block runs, waiting for one to get free.

    `deadline` is a time of `clock.monotonic()`; `tell` is called once if the wait takes seconds. Raises NoLease when
    the deadline passes first. A holder that dies in whatever way gives the lease back: the kernel drops its locks.
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
