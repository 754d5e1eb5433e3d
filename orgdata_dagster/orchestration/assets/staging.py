"""Folders for pages on their way in, and their removal after a crash.

Here: `staging_folder`. Keep out: what is in them (warehouse/pages/stage.py).
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LOCK = "in-use"


@contextmanager
def staging_folder(parent: Path) -> Iterator[Path]:
    """A folder of one's own in `parent` until the context ends; removes those that killed processes left behind."""
    _sweep(parent)
    folder = Path(tempfile.mkdtemp(dir=parent, prefix="run-"))
    # The kernel gives the lock back when its holder dies, however it dies. It gets its name only once it is held:
    # a sweep in between would take the folder for a dead one's.
    lock = os.open(folder / "new", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC)
    fcntl.flock(lock, fcntl.LOCK_EX)
    (folder / "new").rename(folder / _LOCK)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _sweep(parent: Path) -> None:
    for lock_file in parent.glob(f"run-*/{_LOCK}"):
        try:
            lock = os.open(lock_file, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            continue  # its owner has just finished
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(lock_file.parent, ignore_errors=True)
        except BlockingIOError:
            continue
        finally:
            os.close(lock)
