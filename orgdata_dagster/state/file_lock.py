"""A lock file across processes: any number of readers or one writer, first come, first served.

Here: a readers-writer lock on two files. The kernel holds it and releases it when its process ends, also by kill -9.
Keep out: what the lock is for. The warehouse locks its file with it (warehouse/storage/connection.py).
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from pathlib import Path

from orgdata_dagster.state import stopping

NOTIFY_AFTER = 2.0  # seconds of waiting before the first message
NOTIFY_AGAIN_AFTER = 60.0
_POLL = 0.05  # seconds between two looks at the patience, or at a request to stop


class StillHeld(Exception):
    """The lock was not released in time."""


@contextmanager
def locked(
    path: Path, *, shared: bool, waiting: Callable[[], None] | None = None, patience: float | None = None
) -> Iterator[None]:
    """Hold the lock on `path` until the context ends; waits until it is free.

    shared: lock for reading, together with other readers.
    waiting: called in another thread after NOTIFY_AFTER seconds of waiting, and again every minute.
    patience: seconds after which to give up; None: never.

    Every process first takes the lock of the queue file (`<path>.queue`), then the lock itself. Without the queue, a
    writer might never get the lock while readers overlap, because flock grants a shared lock even if an exclusive one
    waits.

    Raises StillHeld when `patience` is over, and stopping.Stopped soon after the process is asked to stop.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _open(path) as held:
        with _open(path.with_name(path.name + ".queue")) as queue, notifying(waiting) as begin:
            deadline = None if patience is None else time.monotonic() + patience
            for descriptor, kind in (
                (queue, fcntl.LOCK_EX),
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
    """The process id of the writer that holds the lock now; None if no writer does."""
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
        _queue(descriptor, kind)
        return
    while not _taken(descriptor, kind):
        if time.monotonic() > deadline:
            raise StillHeld
        stopping.sleep_until_cut(_POLL)


def _queue(descriptor: int, kind: int) -> None:
    """Wait in the kernel's queue, which is fair, unlike repeated attempts.

    A thread of its own waits, because nothing can interrupt a wait in the kernel. If this function is ended, that
    thread still gets the lock some time later and releases it at once, since it then has the file's only descriptor.
    """
    waiting, granted = os.dup(descriptor), Future[None]()

    def take() -> None:
        try:
            fcntl.flock(waiting, kind)
        except OSError as error:
            granted.set_exception(error)
        else:
            granted.set_result(None)
        finally:
            os.close(waiting)

    threading.Thread(target=take, name="lock", daemon=True).start()
    while not wait([granted], timeout=_POLL).done:
        stopping.check_cut()
    granted.result()


@contextmanager
def notifying(waiting: Callable[[], None] | None) -> Iterator[Callable[[], None]]:
    """Yield a function that starts calling `waiting` at intervals in another thread, until the context ends."""
    over = threading.Event()

    def notify() -> None:
        pause = NOTIFY_AFTER
        while waiting is not None and not over.wait(pause):
            waiting()
            pause = NOTIFY_AGAIN_AFTER

    thread = threading.Thread(target=notify, name="lock-waiting", daemon=True)

    def begin() -> None:
        if waiting is not None and thread.ident is None:
            thread.start()

    try:
        yield begin
    finally:
        over.set()


@contextmanager
def _open(path: Path) -> Iterator[int]:
    # one file descriptor per holder, so that flock also excludes other threads of this process
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        # Closing alone releases nothing while there is a copy: in the thread of _queue, or in a child before its exec.
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)
