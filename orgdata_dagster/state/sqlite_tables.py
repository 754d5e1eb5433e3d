"""Tables in a SQLite file that the processes of one machine share.

Here: `SqliteTables.run`, which runs a function in one exclusive transaction.
Add here when: the file must survive another kind of fault.
Keep out: the definitions of tables (http/rate_limit/reservations.py).
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from orgdata_dagster.state.forks import watch
from orgdata_dagster.state.interface import StateUnavailable

T = TypeVar("T")

# Connections of a parent process. They are never closed, because that could delete the parent's write-ahead log.
_inherited: list[sqlite3.Connection] = []


class SqliteTransaction:
    """A transaction on a SQLite file; see Transaction."""

    def __init__(self, connection: sqlite3.Connection, first: Sequence[str]) -> None:
        self._connection = connection
        self.first = [connection.execute(query).fetchall() for query in first]

    def execute(self, statement: str, parameters: Mapping[str, Any] | None = None) -> sqlite3.Cursor:
        """Run a statement."""
        return self._connection.execute(statement, parameters or {})

    def change(self, statement: str, parameters: Mapping[str, Any] | None = None) -> None:
        """Run a statement."""
        self._connection.execute(statement, parameters or {})

    def insert(self, statement: str, parameters: Mapping[str, Any]) -> int:
        """Insert one row; returns its `id`."""
        return self._connection.execute(statement, {**parameters, "id": None}).lastrowid or 0

    def clock(self) -> None:
        """None: processes use the machine's clocks."""


class SqliteTables:
    """One SQLite file, created on first use.

    A blocking file lock is taken before BEGIN IMMEDIATE. SQLite alone polls, up to 100 ms at a time and in no order,
    which would delay requests.
    """

    def __init__(self, path: Path, schema: str) -> None:
        self.path = path
        self._schema = schema.format(id="INTEGER PRIMARY KEY AUTOINCREMENT")
        self._new()
        watch(self)

    def exists(self) -> bool:
        """Whether the file has been used."""
        return self.path.exists()

    def change(self, statement: str, parameters: Mapping[str, Any]) -> None:
        """Run one statement; see Tables."""
        self.run(lambda transaction: transaction.change(statement, parameters))

    def run(self, work: Callable[[SqliteTransaction], T], first: Sequence[str] = ()) -> T:
        """Run `work(transaction)` in one transaction; see Tables.

        A damaged file is moved to `<name>.corrupt`, and the work is repeated with a new file.

        Raises StateUnavailable if the file still cannot be used.
        """
        try:
            with self._alone():
                try:
                    return self._transact(work, first)
                except sqlite3.DatabaseError as error:
                    if not _is_corrupt(error):
                        raise
                    self._move_aside()
                    return self._transact(work, first)
        except (sqlite3.Error, OSError) as error:
            why = "it is a folder" if self.path.is_dir() else str(getattr(error, "strerror", None) or error).lower()
            raise StateUnavailable(
                f"The file {self.path} of the shared state cannot be used: {why}. Make its folder writable and free "
                "space on its disk, or move the file away; then try again."
            ) from None

    def forget(self) -> None:
        """Start again in a forked child, without affecting the parent's lock and connection."""
        if self._connection is not None:
            _inherited.append(self._connection)
        if self._gate is not None:
            os.close(self._gate)
        self._new()

    def _new(self) -> None:
        self._threads = threading.Lock()
        self._gate: int | None = None
        self._connection: sqlite3.Connection | None = None
        self._inode = 0

    def __del__(self) -> None:
        if self._gate is not None:
            os.close(self._gate)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with self._threads:
            if self._gate is None:
                self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._gate = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(self._gate, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._gate, fcntl.LOCK_UN)

    def _transact(self, work: Callable[[SqliteTransaction], T], first: Sequence[str]) -> T:
        connection = self._connect()
        connection.execute("BEGIN IMMEDIATE")
        try:
            result = work(SqliteTransaction(connection, first))
            connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise
        return result

    def _connect(self) -> sqlite3.Connection:
        # Another process may have moved or deleted the file that is open here.
        if self._connection is not None and self._inode == _inode(self.path):
            return self._connection
        self._disconnect()
        self._create()
        connection = sqlite3.connect(self.path, timeout=60, isolation_level=None, check_same_thread=False)
        self._connection = connection
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.executescript(self._schema)
        self._inode = _inode(self.path)
        return connection

    def _create(self) -> None:
        """Create the file readable by its owner only, which SQLite itself does not do.

        An existing file is not opened here: closing its descriptor would release every POSIX lock of this process on
        the file, including those of SQLite's connections. Another process would then consider itself the only user and
        remove the write-ahead log, so that everything these connections write later would be lost.
        """
        with suppress(FileExistsError):
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _move_aside(self) -> None:
        self._disconnect()
        with suppress(FileNotFoundError):
            os.replace(self.path, self.path.with_suffix(".corrupt"))
        for suffix in ("-wal", "-shm"):
            Path(f"{self.path}{suffix}").unlink(missing_ok=True)


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return 0


def _is_corrupt(error: sqlite3.DatabaseError) -> bool:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte is the primary code
    other_tables = code == sqlite3.SQLITE_ERROR and ("no such" in str(error) or "has no column" in str(error))
    return other_tables or code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
