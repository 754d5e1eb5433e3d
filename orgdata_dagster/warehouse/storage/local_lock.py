"""The lock of a warehouse on this machine, and the processes that hold it.

Here: `LocalLock`, and `LocallyLocked`, the base class of storage that it protects. Keep out: how the lock works
(state/file_lock.py), how holders are found (holders.py).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from orgdata_dagster.state.file_lock import holder, locked
from orgdata_dagster.warehouse.storage.holders import described, holders, named
from orgdata_dagster.warehouse.storage.storage import Confirm


@dataclass(frozen=True)
class LocalLock:
    """A kernel lock: it ends with its process, so it cannot be lost.

    path: the lock file. files: the files that it protects, which other programs may have open.
    """

    path: Path
    files: tuple[Path, ...] = ()

    @contextmanager
    def held(self, *, shared: bool, waiting: Callable[[], None], patience: float | None) -> Iterator[Confirm]:
        """Hold the lock; see Storage.locked."""
        with locked(self.path, shared=shared, waiting=waiting, patience=patience):
            yield lambda: None

    def holders(self) -> str:
        """See Storage.holders."""
        found = dict.fromkeys(each for file in (*self.files, self.path) for each in holders(file))
        return described(found) if found else ""

    def writer(self) -> str:
        """See Storage.writer."""
        pid = holder(self.path)
        if pid is None or (os.path.isdir("/proc") and not os.path.exists(f"/proc/{pid}")):
            return ""  # there is no writer, it runs on another machine, or it has just ended
        return str(named(pid))


class LocallyLocked:
    """A storage, or a part of one, whose readers and writers take a local lock; see Storage."""

    lock: LocalLock

    def locked(
        self, *, shared: bool, waiting: Callable[[], None], patience: float | None
    ) -> AbstractContextManager[Confirm]:
        return self.lock.held(shared=shared, waiting=waiting, patience=patience)

    def holders(self) -> str:
        return self.lock.holders()

    def writer(self) -> str:
        return self.lock.writer()
