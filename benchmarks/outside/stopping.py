"""Nothing is left behind: whatever was started is killed when the harness ends, also by SIGTERM or Ctrl-C.

Here: the list of what runs, and `guarded` for a harness's main. Keep out: how one of them is killed.
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
    """The harness is ending, so nothing new is started."""


def add(key: int, kill: Callable[[], object]) -> None:
    """Something runs now. Raises Stopped, after killing it, where the harness is ending."""
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
    """Kill all that runs at the end, however it comes."""

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
