"""This process's connection to the database, its signs of life, and what happens when the connection is lost.

Here: `Session`. Add here when: the server can be unreachable in another way. Keep out: what is asked of it.

A process that holds locks is a row in `process`, whose number is also an advisory lock of its session. It is alive if
that lock is taken, or if its last sign of life is recent. The lock alone would not do: a server that restarts drops all
sessions, and every process would seem dead. Signs of life alone would not do either: a process that is stopped for a
while, such as on a machine without memory, still has its connection.

After a lost connection, the process takes back what it held. If another process has it by then, because this one was
taken for dead, this process must not go on: everything that it asks of the state fails from then on, and without a
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
from psycopg.conninfo import conninfo_to_dict

from orgdata_dagster.state.forks import watch
from orgdata_dagster.state.interface import StateUnavailable
from orgdata_dagster.state.postgres import causes
from orgdata_dagster.state.postgres.schema import KEY_OF_SET_UP, SCHEMA, SESSION, SET_UP, TAKE_BACK, TIDY
from orgdata_dagster.state.processes import identity

T = TypeVar("T")
Connection = psycopg.Connection[Any]

BEAT, GRACE, PATIENCE = 2.0, 8.0, 60.0  # seconds
_PATIENCE_AT_FIRST = 10.0  # seconds; a wrong host name is more likely than a server that is about to start
_PAUSE = 0.5  # seconds between two attempts to connect

_log = logging.getLogger("orgdata")
# Connections of a parent process, which must not be closed in the child.
_inherited: list[Connection] = []


class Session:
    """One connection, shared by the threads of this process."""

    def __init__(self, uri: str, *, beat: float, patience: float) -> None:
        self._uri, self._beat, self._patience = uri, beat, patience
        self.place = causes.place(_parameters(uri))
        self._new()
        watch(self)

    def _new(self) -> None:
        self.number = secrets.randbelow(1 << 62)
        self.held: dict[str, bool] = {}  # name -> whether another process may take it over when this one is dead
        self._lost: set[str] = set()
        self._gate = threading.RLock()
        self._connection: Connection | None = None
        self._known = False  # whether the server has answered before
        self._registered = False
        self._has_lock = False
        self._beating: threading.Thread | None = None

    def forget(self) -> None:
        """Start again in a forked child, without affecting the parent's connection."""
        if self._connection is not None:
            _inherited.append(self._connection)
        self._new()

    def run(self, work: Callable[[Connection], T]) -> T:
        """Run `work(connection)`; once more on a new connection if this one is lost on the way.

        Raises StateUnavailable if the server does not answer in time, refuses, or gave away what this process held.
        """
        deadline, told = None, False
        while True:
            try:
                with self._gate:
                    connection = self._connected()
                    if self._lost:
                        raise StateUnavailable(causes.LOST.format(what=", ".join(sorted(self._lost)), place=self.place))
                    return work(connection)
            except psycopg.Error as error:
                self._end_transaction()
                if not causes.passes(error):
                    raise StateUnavailable(causes.refused(self.place, error)) from None
                patience = self._patience if self._known else min(_PATIENCE_AT_FIRST, self._patience)
                deadline = deadline or time.monotonic() + patience
                if time.monotonic() > deadline:
                    raise StateUnavailable(causes.silent(self.place, error)) from None
                if not told:
                    _log.warning(causes.waiting(self.place, error))
                    told = True
            time.sleep(_PAUSE)

    def version(self) -> str:
        """The server's version."""
        rows = self.run(lambda connection: connection.execute("SHOW server_version").fetchall())
        return str(rows[0][0])

    def register(self, connection: Connection) -> None:
        """Make this process known before it holds something; called with the connection in use."""
        if not self._registered:
            connection.execute(TIDY)
            connection.execute(
                f"INSERT INTO {SCHEMA}.process VALUES (%s, %s, clock_timestamp())", (self.number, identity())
            )
            self._registered = True
            self._take_lock(connection)

    def keep_alive(self) -> None:
        """Give signs of life for as long as this process holds something that lasts."""
        with self._gate:
            if self._beating is None:
                self._beating = threading.Thread(target=self._signs_of_life, name="orgdata-state", daemon=True)
                self._beating.start()

    def release(self, name: str, work: Callable[[Connection], object]) -> None:
        """Give back what is held. Without a connection: with the next one, or when this process ends."""
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
        connection = psycopg.connect(self._uri, autocommit=True, **causes.client_options(self._uri))
        try:
            connection.execute(SESSION)
            _set_up(connection)
            if self._registered:
                self._take_back(connection)
        except BaseException:
            connection.close()
            raise
        self._connection, self._known = connection, True
        return connection

    def _end_transaction(self) -> None:
        """Roll back what an error has left; a connection that cannot is closed."""
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
        if not self._has_lock:  # a session that the server has not yet given up may still hold it
            row = connection.execute("SELECT pg_try_advisory_lock(%s)", (self.number,)).fetchone()
            self._has_lock = bool(row and row[0])

    def _take_back(self, connection: Connection) -> None:
        """Take back what this process held before the connection was lost, and note what it has lost."""
        connection.execute(
            f"INSERT INTO {SCHEMA}.process VALUES (%s, %s, clock_timestamp())"
            " ON CONFLICT (number) DO UPDATE SET seen = excluded.seen",
            (self.number, identity()),
        )
        self._take_lock(connection)
        held = list(self.held)
        # also of an attempt to take a lock whose answer never arrived
        connection.execute(
            f"UPDATE {SCHEMA}.lock SET process = NULL WHERE process = %s AND name <> ALL(%s)", (self.number, held)
        )
        mine = {row[0] for row in connection.execute(TAKE_BACK, (held, self.number))}
        self._lost |= {name for name in held if self.held[name] and name not in mine}

    def _signs_of_life(self) -> None:
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


def _parameters(uri: str) -> dict[str, Any]:
    try:
        return conninfo_to_dict(uri)
    except psycopg.Error:  # the message would quote the URI, and the password with it
        raise StateUnavailable(causes.INVALID) from None


def _set_up(connection: Connection) -> None:
    """Create the tables if they are not there; two machines may do so at once."""
    row = connection.execute("SELECT to_regclass(%s)", (f"{SCHEMA}.note",)).fetchone()
    if row is None or row[0] is None:
        with creating(connection):
            connection.execute(SET_UP)


@contextmanager
def creating(connection: Connection) -> Iterator[None]:
    """A transaction that creates tables, while no other process does.

    The lock is taken before the transaction begins. Within one, the server might not notice that another process has
    just created the same, and IF NOT EXISTS would fail.
    """
    connection.execute("SELECT pg_advisory_lock(%s)", (KEY_OF_SET_UP,))
    try:
        with connection.transaction():
            yield
    finally:
        connection.execute("SELECT pg_advisory_unlock(%s)", (KEY_OF_SET_UP,))
