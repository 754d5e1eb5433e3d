"""Shared state in files: the default, for all processes of one machine.

Here: `FileState`. Add here when: the interface has another method. Keep out: other stores; the use of the state.

Locks are the kernel's (flock), which releases them when their process ends.
"""

from __future__ import annotations

import fcntl
import os
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

from orgdata_dagster.state.file_lock import locked
from orgdata_dagster.state.forks import watch
from orgdata_dagster.state.interface import Holder
from orgdata_dagster.state.processes import identity
from orgdata_dagster.state.sqlite_tables import SqliteTables


class FileState:
    """State in a folder, normally ORGDATA_HOME. A name is a path below it."""

    secrets: tuple[str, ...] = ()

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._leases: dict[str, Path] = {}  # a path is made once, not for every request

    def describe(self) -> str:
        """The state's place; see State."""
        return f"files in {self.folder}, for the processes of this machine"

    def lock(
        self, name: str, *, waiting: Callable[[], None] | None = None, patience: float | None = None
    ) -> AbstractContextManager[None]:
        """Hold an exclusive lock, first come, first served; see State."""
        return locked(self._lock_file(name), shared=False, waiting=waiting, patience=patience)

    def claim(self, name: str) -> HeldFile | None:
        """Claim something; see State."""
        path = self._lock_file(name)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if (held := _take(path, remove=True)) is not None:
            held.write(identity())
        return held

    def holder(self, name: str) -> Holder | None:
        """The holder of the lock or claim; see State."""
        path = self._lock_file(name)
        try:
            text, since = path.read_text().strip(), path.stat().st_mtime
        except FileNotFoundError:
            return None
        process = f"{socket.gethostname()}:{text}:" if text.isdigit() else text
        return Holder(process, datetime.fromtimestamp(since, UTC), alive=_is_locked(path))

    def revoke(self, name: str) -> bool:
        """Whether the holder is dead. A dead holder cannot get the lock back, because the kernel has released it."""
        found = self.holder(name)
        return found is None or not found.alive

    def forget(self, name: str) -> None:
        """Remove the file of a claim."""
        self._lock_file(name).unlink(missing_ok=True)

    def lease(self, names: Sequence[str]) -> HeldFile | None:
        """Take a free lock; see State."""
        first = threading.get_native_id() % len(names)  # a thread finds the one that it had before
        for name in (*names[first:], *names[:first]):
            path = self._leases.get(name) or self._leases.setdefault(name, self._lock_file(name))
            try:
                held = _take(path)
            except FileNotFoundError:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                held = _take(path)
            if held is not None:
                return held
        return None

    def notes(self, kind: str) -> FileNotes:
        """The notes in a folder."""
        return FileNotes(self.folder / kind)

    def tables(self, name: str, schema: str) -> SqliteTables:
        """The tables in a SQLite file."""
        return SqliteTables(self.folder / f"{name}.sqlite", schema)

    def _lock_file(self, name: str) -> Path:
        return self.folder / f"{name}.lock"


class HeldFile:
    """A locked file. Each has a descriptor of its own, so that threads compete like processes.

    remove: whether to remove the file when the lock is released.
    """

    def __init__(self, path: Path, *, remove: bool) -> None:
        self._path = path
        self._descriptor: int | None = None
        self._remove = remove
        watch(self)  # before the file is opened, so that no fork can happen in between

    def take(self) -> bool:
        """Lock the file; returns whether it was free."""
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.forget()
            return False
        return True

    def write(self, text: str) -> None:
        """Write the holder's identity into the file."""
        assert self._descriptor is not None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, text.encode(), 0)

    def release(self) -> None:
        """Give the lock back; see Held."""
        if self._descriptor is not None and self._remove:
            self._path.unlink(missing_ok=True)
        self.forget()

    def forget(self) -> None:
        """Close the file. A lock ends when no process has its file open, so a forked child must close its copy."""
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor = None


class FileNotes:
    """Notes in a folder, one file per note."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, key: str) -> str | None:
        """The text; see Notes."""
        try:
            return self._path(key).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None

    def add(self, key: str, text: str = "") -> bool:
        """Add a note; see Notes."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            descriptor = os.open(self._path(key), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return False
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        return True

    def remove(self, key: str) -> None:
        """Remove a note; see Notes."""
        self._path(key).unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self._folder / key.replace("/", "__")


def _take(path: Path, *, remove: bool = False) -> HeldFile | None:
    held = HeldFile(path, remove=remove)
    return held if held.take() else None


def _is_locked(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
