"""The warehouse's lock: any number of readers or one writer, across processes, first come first served.

Here: one readers-writer lock on two files, held by the kernel, so that it dies with its holder (also with kill -9).
Add here: nothing that knows DuckDB. Keep out: waiting for foreign programs that open the file without this lock
(`connection.py` retries those).
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(path: Path, *, shared: bool) -> Iterator[None]:
    """Hold the lock on `path` until the context ends; blocks in the kernel until it is free.

    Everyone passes the turnstile (`<path>.queue`) before asking for the lock itself. Without it a stream of readers
    that overlap would keep a writer out for ever: flock grants a shared lock past a waiting exclusive one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _open(path) as held:
        with _open(path.with_name(path.name + ".queue")) as turnstile:
            fcntl.flock(turnstile, fcntl.LOCK_EX)
            fcntl.flock(held, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
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


@contextmanager
def _open(path: Path) -> Iterator[int]:
    # A file descriptor of its own for every holder: flock then also keeps the threads of one process apart.
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
