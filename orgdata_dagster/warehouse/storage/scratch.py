"""Temporary folders that are removed when their owner ends, also after a crash.

Here: `owned_folder`, which exists until the end of a context, and `process_folder`, which exists until the process
ends. Keep out: the content of the folders: pages (pages/stage.py), DuckDB's spill files (instances.py).

The owner holds a kernel lock on a file in its folder, which the kernel releases when the owner ends. A folder whose
lock is free belongs to an owner that has ended, and is removed when the next folder is created. Creation and removal
are under another lock, so that no folder is removed before its owner has locked it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.util import Finalize
from pathlib import Path

from orgdata_dagster.state.file_lock import locked

_LOCK = "in-use"
_TURNS = "folders.lock"

# per process and parent: a forked process must not use its parent's folder
_of_process: dict[tuple[int, Path], Path] = {}


@contextmanager
def owned_folder(parent: Path, prefix: str = "run-") -> Iterator[Path]:
    """A new folder in `parent` until the context ends; removes folders with this prefix whose owners have ended."""
    with locked(parent / _TURNS, shared=False):
        _sweep(parent, prefix)
        folder = Path(tempfile.mkdtemp(dir=parent, prefix=prefix))
        lock = os.open(folder / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def process_folder(parent: Path) -> Path:
    """This process's folder in `parent`, created at the first call and removed when the process ends."""
    key = os.getpid(), parent
    known = _of_process.get(key)
    if known is None or not known.exists():
        stack = ExitStack()
        known = _of_process[key] = stack.enter_context(owned_folder(parent, "process-"))
        Finalize(None, stack.close, exitpriority=0)  # workers of multiprocessing do not run atexit handlers
    return known


def _sweep(parent: Path, prefix: str) -> None:
    for folder in parent.glob(f"{prefix}*/"):
        try:
            lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:  # the owner was killed before it had the lock, or is removing the folder now
            shutil.rmtree(folder, ignore_errors=True)
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:
            continue
        finally:
            os.close(lock)
