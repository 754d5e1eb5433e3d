"""SIGTERM and Ctrl-C: the first signal ends a command within seconds, with one line of status; the second at once.

Here: `Interrupted`, which the first signal raises in the main thread.
Keep out: what a command does when it is interrupted (its module), and signals in workers (workers.py).
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_kills: list[Callable[[], object]] = []


class Interrupted(BaseException):
    """The command received a signal to end.

    summary: what has landed and how to continue, as a clause; empty if unknown.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number
        self.summary = ""

    @property
    def status(self) -> int:
        """The exit status by the shell's convention: 143 or 130."""
        return 128 + self.number

    def __str__(self) -> str:
        by = "Ctrl-C" if self.number == signal.SIGINT else signal.Signals(self.number).name
        return f"stopped by {by}" + (f": {self.summary}" if self.summary else "")


def install() -> None:
    """Make the first signal raise Interrupted, even if SIGINT is ignored, as in background jobs of scripts."""
    for number in _SIGNALS:
        signal.signal(number, _first)


@contextmanager
def blocked() -> Iterator[None]:
    """Block the signals until the end of the `with` block. A process that is forked meanwhile must call `unblock`."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        unblock()


def unblock() -> None:
    """Receive signals again, including those that arrived meanwhile."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)


def kill_at_once(kill: Callable[[], object]) -> None:
    """Call `kill` on a second signal; for processes that were not started by multiprocessing."""
    _kills.append(kill)


def _first(number: int, _: FrameType | None) -> None:
    for each in _SIGNALS:
        signal.signal(each, _second)
    raise Interrupted(number)


def _second(number: int, _: FrameType | None) -> None:
    for worker in multiprocessing.active_children():
        worker.kill()
    for kill in _kills:
        kill()
    os._exit(128 + number)
