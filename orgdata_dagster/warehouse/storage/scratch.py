"""Folders on disk that live as long as their owner, and their removal after a crash.

Here: `owned_folder`, for as long as a context lasts, and `process_folder`, for as long as the process lasts.
Add here: nothing that knows what is in them. Keep out: pages (stage.py), DuckDB's settings (instances.py).

The owner holds a kernel lock on a file in its folder, which the kernel gives back however the owner dies. A folder
whose lock nobody holds belongs to a dead owner; whoever makes the next folder removes it. Making and sweeping take
turns, so that a sweep never meets a folder that is not locked yet.
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

from orgdata_dagster.warehouse.storage.lock import locked

_LOCK = "in-use"
_TURNS = "folders.lock"

# by process and parent: what a fork copies is not its own
_of_process: dict[tuple[int, Path], Path] = {}


@contextmanager
def owned_folder(parent: Path, prefix: str = "run-") -> Iterator[Path]:
    """A new folder in `parent` until the context ends; removes those with this prefix whose owners are dead."""
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
    """This process's folder in `parent`, made at the first call and removed when the process ends."""
    key = os.getpid(), parent
    known = _of_process.get(key)
    if known is None or not known.exists():
        stack = ExitStack()
        known = _of_process[key] = stack.enter_context(owned_folder(parent, "process-"))
        Finalize(None, stack.close, exitpriority=0)  # in workers too, where atexit is not asked
    return known


def _sweep(parent: Path, prefix: str) -> None:
    for folder in parent.glob(f"{prefix}*/"):
        try:
            lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:  # killed before it had the lock, or going this moment
            shutil.rmtree(folder, ignore_errors=True)
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:
            continue
        finally:
            os.close(lock)
