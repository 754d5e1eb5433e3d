"""SIGTERM and Ctrl-C: a command ends within seconds, says in one line what it leaves behind, and a second one ends it
at once.

Here: `Interrupted`, raised in the main thread by the first signal. Keep out: what a command does about it (each has its
own), the signals of workers (workers.py).
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
    """The command was told to end. `told`: what it leaves behind and how to go on, as a clause."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number
        self.told = ""

    @property
    def status(self) -> int:
        """The exit status, as a shell would name it: 143 or 130."""
        return 128 + self.number

    def __str__(self) -> str:
        by = "Ctrl-C" if self.number == signal.SIGINT else signal.Signals(self.number).name
        return f"stopped by {by}" + (f": {self.told}" if self.told else "")


def install() -> None:
    """Have the first signal raise Interrupted. Also where SIGINT is ignored, as scripts do for jobs in the background:
    whoever sends it means it."""
    for number in _SIGNALS:
        signal.signal(number, _first)


@contextmanager
def blocked() -> Iterator[None]:
    """Put the signals off until the block is over. A process that is forked in it goes on without them: see unblock."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        unblock()


def unblock() -> None:
    """Take signals again, those first that came meanwhile."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)


def kill_at_once(kill: Callable[[], object]) -> None:
    """Have `kill` called by a second signal: for processes that multiprocessing does not know."""
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
