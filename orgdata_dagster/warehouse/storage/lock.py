"""The warehouse's lock: any number of readers or one writer, across processes, first come first served.

Here: one readers-writer lock on two files, held by the kernel, so that it dies with its holder (also with kill -9).
Add here: nothing that knows DuckDB. Keep out: waiting for foreign programs that open the file without this lock
(`connection.py` retries those).
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

SAY_AFTER = 2.0  # seconds of waiting before a person is told why, and between two times
_SAY_AGAIN_AFTER = 60.0
_POLL = 0.05


class StillHeld(Exception):
    """The lock was not free in time."""


@contextmanager
def locked(
    path: Path, *, shared: bool, waiting: Callable[[], None] | None = None, patience: float | None = None
) -> Iterator[None]:
    """Hold the lock on `path` until the context ends; blocks in the kernel until it is free.

    `waiting` is called, in another thread, when that takes longer than a moment. `patience`: seconds after which to
    raise StillHeld instead, for whoever only looks.

    Everyone passes the turnstile (`<path>.queue`) before asking for the lock itself. Without it a stream of readers
    that overlap would keep a writer out for ever: flock grants a shared lock past a waiting exclusive one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _open(path) as held:
        with _open(path.with_name(path.name + ".queue")) as turnstile, _told(waiting) as begin:
            deadline = None if patience is None else time.monotonic() + patience
            for descriptor, kind in (
                (turnstile, fcntl.LOCK_EX),
                (held, fcntl.LOCK_SH if shared else fcntl.LOCK_EX),
            ):
                if not _taken(descriptor, kind):
                    begin()
                    _wait(descriptor, kind, deadline)
        if not shared:
            os.ftruncate(held, 0)
            os.pwrite(held, f"{os.getpid()}\n".encode(), 0)
        yield


def holder(path: Path) -> int | None:
    """The process id of the writer that holds the lock now, or None when no writer does."""
    if not path.exists():
        return None
    with _open(path) as probe:
        try:
            fcntl.flock(probe, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            text = os.pread(probe, 32, 0).decode().strip()
            return int(text) if text.isdigit() else None
    return None


def _taken(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _wait(descriptor: int, kind: int, deadline: float | None) -> None:
    if deadline is None:
        fcntl.flock(descriptor, kind)
        return
    while not _taken(descriptor, kind):
        if time.monotonic() > deadline:
            raise StillHeld
        time.sleep(_POLL)


@contextmanager
def _told(waiting: Callable[[], None] | None) -> Iterator[Callable[[], None]]:
    """Calls `waiting` now and then until the context ends, once what it gives has been called."""
    over = threading.Event()

    def tell() -> None:
        pause = SAY_AFTER
        while waiting is not None and not over.wait(pause):
            waiting()
            pause = _SAY_AGAIN_AFTER

    thread = threading.Thread(target=tell, name="lock-waiting", daemon=True)

    def begin() -> None:
        if waiting is not None and thread.ident is None:
            thread.start()

    try:
        yield begin
    finally:
        over.set()


@contextmanager
def _open(path: Path) -> Iterator[int]:
    # A file descriptor of its own for every holder: flock then also keeps the threads of one process apart.
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
