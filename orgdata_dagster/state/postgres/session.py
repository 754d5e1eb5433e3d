"""This process's connection to the database, its heartbeat, and its recovery from a lost connection.

Here: `Session`. Add here when: the server can be unreachable in another way. Keep out: the statements that it runs.

A process that holds locks has a row in `process`, whose number is also an advisory lock of its session. The process is
alive if that lock is taken, or if its last heartbeat is recent. The lock alone would not suffice: a server that
restarts drops all sessions, and every process would seem dead. The heartbeat alone would not suffice either: a process
that is suspended for a while, for example on a machine without memory, still has its connection. After an outage of the
server, a process declares others dead only when it has been connected long enough for them to come back (locks.py).

After a lost connection, the process takes its locks again. If another process has one of them, because this process was
considered dead, this process must not continue: all of its operations on the state fail from then on, and without a
reservation it sends no request.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import psycopg

from orgdata_dagster.state import stopping
from orgdata_dagster.state.forks import watch
from orgdata_dagster.state.interface import StateUnavailable
from orgdata_dagster.state.postgres import causes
from orgdata_dagster.state.postgres.pooler import shares_sessions
from orgdata_dagster.state.postgres.schema import KEY_OF_SET_UP, SCHEMA, SESSION, SET_UP, TAKE_BACK, TIDY
from orgdata_dagster.state.postgres_address import SECRETS, parsed
from orgdata_dagster.state.processes import identity

T = TypeVar("T")
Connection = psycopg.Connection[Any]

BEAT, GRACE, PATIENCE = 2.0, 7.0, 60.0  # seconds
_PATIENCE_AT_FIRST = 10.0  # seconds; a wrong host name is more likely than a server that is about to start
_PAUSE = 0.5  # seconds between two attempts to connect

_log = logging.getLogger("orgdata")
# Connections of a parent process, which must not be closed in the child.
_inherited: list[Connection] = []


class Session:
    """One connection, shared by the threads of this process."""

    def __init__(self, uri: str, *, beat: float, patience: float) -> None:
        self._uri, self._beat, self.patience = uri, beat, patience
        parameters = _parameters(uri)
        self.place = causes.place(parameters)
        self.secrets = tuple(parameters[name] for name in SECRETS if name in parameters)
        self._new()
        watch(self)

    def _new(self) -> None:
        self.number = secrets.randbelow(1 << 62)
        self.held: dict[str, bool] = {}  # name -> whether this process must stop if another process has taken it over
        self._lost: set[str] = set()
        self._gate = threading.RLock()
        self._connection: Connection | None = None
        self._connected_at = 0.0
        self._known = False  # whether the server has answered before
        self._silent = False  # whether the last call gave up waiting for it
        self._registered = False
        self._has_lock = False
        self._beating: threading.Thread | None = None

    def forget(self) -> None:
        """Start again in a forked child, without affecting the parent's connection."""
        if self._connection is not None:
            _inherited.append(self._connection)
        self._new()

    def run(self, work: Callable[[Connection], T]) -> T:
        """Run `work(connection)`, and repeat it on a new connection if the connection is lost.

        After a server has not answered in time, later calls make one attempt each, until it answers again.

        Raises StateUnavailable if the server does not answer in time or refuses, or if another process has taken over a
        lock of this process; stopping.Stopped if the process is asked to stop while the server does not answer.
        """
        deadline, warned = None, False
        while True:
            try:
                with self._gate:
                    connection = self._connected()
                    if self._lost:
                        raise StateUnavailable(causes.LOST.format(what=", ".join(sorted(self._lost)), place=self.place))
                    result = work(connection)
                    self._silent = False
                    return result
            except psycopg.Error as error:
                self._end_transaction()
                if not causes.passes(error):
                    raise StateUnavailable(causes.refused(self.place, error)) from None
                patience = self.patience if self._known else min(_PATIENCE_AT_FIRST, self.patience)
                deadline = deadline or time.monotonic() + patience
                if self._silent or time.monotonic() > deadline:
                    self._silent = True
                    raise StateUnavailable(causes.silent(self.place, error)) from None
                if not warned:
                    _log.warning(causes.waiting(self.place, error))
                    warned = True
            stopping.sleep_until_cut(_PAUSE)

    def connected_for(self) -> float:
        """The age of the connection in use, in seconds."""
        return time.monotonic() - self._connected_at

    def version(self) -> str:
        """The server's version."""
        rows = self.run(lambda connection: connection.execute("SHOW server_version").fetchall())
        return str(rows[0][0])

    def register(self, connection: Connection) -> None:
        """Register this process before it takes its first lock; called with the connection in use."""
        if not self._registered:
            connection.execute(TIDY)
            connection.execute(
                f"INSERT INTO {SCHEMA}.process VALUES (%s, %s, clock_timestamp())", (self.number, identity())
            )
            self._registered = True
            self._take_lock(connection)

    def keep_alive(self) -> None:
        """Start the heartbeat, which runs as long as this process holds a lasting lock."""
        with self._gate:
            if self._beating is None:
                self._beating = threading.Thread(target=self._heartbeat, name="orgdata-state", daemon=True)
                self._beating.start()

    def release(self, name: str, work: Callable[[Connection], object]) -> None:
        """Release a lock with `work`. If the connection is lost, the next one releases it, or the process's end."""
        with self._gate:
            if self.held.pop(name, None) is None:
                return
            self._lost.discard(name)
            try:
                work(self._connected())
            except psycopg.Error:
                self._end_transaction()

    def _connected(self) -> Connection:
        if self._connection is not None and not self._connection.closed:
            return self._connection
        self._has_lock = False
        connection = self._connect()
        try:
            connection.execute(SESSION)
            self._set_up(connection)
            if self._registered:
                self._take_back(connection)
        except BaseException:
            connection.close()
            raise
        self._connection, self._connected_at, self._known = connection, time.monotonic(), True
        return connection

    def _connect(self) -> Connection:
        return psycopg.connect(autocommit=True, **causes.client_options(self._uri))

    def _set_up(self, connection: Connection) -> None:
        """Create the tables if they do not exist. Two machines may do so at once."""
        if shares_sessions(connection, self._connect):
            raise StateUnavailable(causes.POOLED.format(place=self.place))
        row = connection.execute("SELECT to_regclass(%s)", (f"{SCHEMA}.note",)).fetchone()
        if row is None or row[0] is None:
            with creating(connection):
                connection.execute(SET_UP)

    def _end_transaction(self) -> None:
        """Roll back a failed transaction; close the connection if that fails."""
        with self._gate:
            if (connection := self._connection) is None:
                return
            if not connection.closed:
                with suppress(psycopg.Error):
                    connection.rollback()
                    return
            connection.close()
            self._connection = None

    def _take_lock(self, connection: Connection) -> None:
        if not self._has_lock:  # an old session that the server has not closed yet may still hold it
            row = connection.execute("SELECT pg_try_advisory_lock(%s)", (self.number,)).fetchone()
            self._has_lock = bool(row and row[0])

    def _take_back(self, connection: Connection) -> None:
        """Take again the locks that this process held before the connection was lost, and record the lost ones."""
        connection.execute(
            f"INSERT INTO {SCHEMA}.process VALUES (%s, %s, clock_timestamp())"
            " ON CONFLICT (number) DO UPDATE SET seen = excluded.seen",
            (self.number, identity()),
        )
        self._take_lock(connection)
        held = list(self.held)
        # this also releases a lock that was taken by a statement whose answer never arrived
        connection.execute(
            f"UPDATE {SCHEMA}.lock SET process = NULL WHERE process = %s AND name <> ALL(%s)", (self.number, held)
        )
        mine = {row[0] for row in connection.execute(TAKE_BACK, (held, self.number))}
        self._lost |= {name for name in held if self.held[name] and name not in mine}

    def _heartbeat(self) -> None:
        me = threading.current_thread()
        while True:
            time.sleep(self._beat)
            with self._gate:
                if self._beating is not me:  # in a forked child
                    return
                if not any(self.held.values()):
                    self._beating = None
                    return
                try:
                    connection = self._connected()
                    self._take_lock(connection)
                    connection.execute(
                        f"UPDATE {SCHEMA}.process SET seen = clock_timestamp() WHERE number = %s", (self.number,)
                    )
                except psycopg.Error:
                    self._end_transaction()


def _parameters(uri: str) -> dict[str, str]:
    try:
        return parsed(uri)
    except ValueError:
        raise StateUnavailable(causes.INVALID) from None


@contextmanager
def creating(connection: Connection) -> Iterator[None]:
    """A transaction that creates tables, while no other process does.

    The lock is taken before the transaction begins. Inside a transaction, the server might not see tables that another
    process has just created, and IF NOT EXISTS would fail.
    """
    connection.execute("SELECT pg_advisory_lock(%s)", (KEY_OF_SET_UP,))
    try:
        with connection.transaction():
            yield
    finally:
        connection.execute("SELECT pg_advisory_unlock(%s)", (KEY_OF_SET_UP,))
