"""Killing everything that was started when bench or soak ends, also by SIGTERM or Ctrl-C.

Here: the list of running processes, and `guarded` for the main function. Keep out: how a process is killed.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator

_running: dict[int, Callable[[], object]] = {}
_lock = threading.RLock()
_stopping = threading.Event()


class Stopped(Exception):
    """Nothing new is started, because bench or soak is ending."""


def add(key: int, kill: Callable[[], object]) -> None:
    """Register a process that has been started. If bench or soak is ending, kill it and raise Stopped."""
    with _lock:
        _running[key] = kill
    if _stopping.is_set():
        kill()
        raise Stopped


def remove(key: int) -> None:
    with _lock:
        _running.pop(key, None)


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """Kill all registered processes when the context ends, for whatever reason."""

    def end(number: int, frame: object) -> None:  # noqa: ARG001
        _kill_all()
        sys.exit(128 + number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    try:
        yield
    finally:
        _kill_all()


def _kill_all() -> None:
    _stopping.set()
    with _lock:
        kills = list(_running.values())
    for kill in kills:
        kill()
