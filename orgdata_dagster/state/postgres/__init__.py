"""Shared state in PostgreSQL, for processes on several machines, which use the server's clock.

Here: `PostgresState`. The modules: session.py (this process's connection), pooler.py (poolers that share sessions),
locks.py (locks, claims and leases), postgres_tables.py (tables and notes). Add here when: the interface has another
method. Keep out: other stores; the use of the state.

Imported only if ORGDATA_STATE names a database, because it needs psycopg (`orgdata[postgres]`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache

from orgdata_dagster.state.interface import Holder
from orgdata_dagster.state.postgres.locks import HeldLock, Locks
from orgdata_dagster.state.postgres.postgres_tables import PostgresNotes, PostgresTables
from orgdata_dagster.state.postgres.session import BEAT, GRACE, PATIENCE, Session


@cache
def postgres_state(uri: str) -> PostgresState:
    """The state in this database, with one connection per process."""
    return PostgresState(uri)


class PostgresState:
    """State in a PostgreSQL database, in the schema `orgdata_state`.

    beat: seconds between two signs of life of a process that holds something.
    grace: seconds without a sign of life after which a process without a connection is dead.
    patience: seconds to wait for a server that does not answer.
    """

    def __init__(self, uri: str, *, beat: float = BEAT, grace: float = GRACE, patience: float = PATIENCE) -> None:
        self._session = Session(uri, beat=beat, patience=patience)
        self._locks = Locks(self._session, grace)

    def __repr__(self) -> str:
        return f"PostgresState({self._session.place})"

    @property
    def secrets(self) -> tuple[str, ...]:
        """The passwords in the URI; see State."""
        return self._session.secrets

    def describe(self) -> str:
        """The state's place; see State."""
        return f"PostgreSQL {self._session.version()} at {self._session.place}, for several machines"

    @contextmanager
    def lock(
        self, name: str, *, waiting: Callable[[], None] | None = None, patience: float | None = None
    ) -> Iterator[None]:
        """Hold an exclusive lock; see State."""
        held = self._locks.wait(name, waiting, patience)
        try:
            yield
        finally:
            held.release()

    def claim(self, name: str) -> HeldLock | None:
        """Claim something; see State."""
        return self._locks.take([name], lasting=True, remove=True)

    def holder(self, name: str) -> Holder | None:
        """The holder of the lock or claim; see State."""
        return self._locks.holder(name)

    def revoke(self, name: str) -> bool:
        """Take a claim away from a dead holder; see State."""
        return self._locks.revoke(name)

    def forget(self, name: str) -> None:
        """Remove the record of a claim; see State."""
        self._locks.forget(name)

    def lease(self, names: Sequence[str]) -> HeldLock | None:
        """Take a free lock for a short time; see State."""
        return self._locks.take(names)

    def notes(self, kind: str) -> PostgresNotes:
        """The notes of a kind."""
        return PostgresNotes(self._session, kind)

    def tables(self, name: str, schema: str) -> PostgresTables:
        """The tables of this name, in a schema of their own."""
        return PostgresTables(self._session, name, schema)
