"""Tables and notes in the database.

Here: `PostgresTables`, whose transactions come one after the other, and `PostgresNotes`.
Add here when: the SQL that all stores understand needs another translation. Keep out: the definitions of tables.

Each set of tables has a schema of its own, so that its statements are the same in every store.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any, NamedTuple, TypeVar

import psycopg
from psycopg import sql

from orgdata_dagster.state.interface import StoreClock
from orgdata_dagster.state.postgres.schema import SCHEMA
from orgdata_dagster.state.postgres.session import Connection, Session, creating

T = TypeVar("T")

_LONGEST_NAME = 63  # bytes, in PostgreSQL
_NOTE = f"{SCHEMA}.note"
_NOW = "extract(epoch FROM clock_timestamp())::float8"
_NUMBER = "nextval('numbers')"


class BeginAnswer(NamedTuple):
    """The server's answer to the beginning of a transaction. `waited`: seconds spent waiting for the lock."""

    wall: float
    boot: str
    number: int
    waited: float
    first: list[list[Any]]


class PostgresTransaction:
    """A transaction; see Transaction.

    opened: the server's time and an id of its start, a new id for a row, and the rows of `first`.
    """

    def __init__(self, connection: Connection, opened: BeginAnswer, read_after: float) -> None:
        self._connection = connection
        self._begin_answer = opened
        self._read_after = read_after
        self._numbers = [opened.number]
        self._changes: list[bytes] = []
        self.first = opened.first

    def execute(self, statement: str, parameters: Mapping[str, Any] | None = None) -> psycopg.Cursor[Any]:
        """Run a statement now."""
        if self._changes:
            self._send()
        return self._connection.execute(_translated(statement), parameters)

    def change(self, statement: str, parameters: Mapping[str, Any] | None = None) -> None:
        """Run a statement with the next one."""
        text = psycopg.ClientCursor(self._connection).mogrify(_translated(statement), parameters or {})
        self._changes.append(text.encode())

    def insert(self, statement: str, parameters: Mapping[str, Any]) -> int:
        """Insert one row with the next statement; returns its `id`."""
        if not self._numbers:
            row = self.execute(f"SELECT {_NUMBER}").fetchone()
            assert row is not None
            self._numbers.append(row[0])
        number = self._numbers.pop()
        self.change(statement, {**parameters, "id": number})
        return number

    def clock(self) -> StoreClock:
        """The server's time, and an id of its start, because a server that crashed has lost its last transactions."""
        return StoreClock(self._begin_answer.wall, self._begin_answer.boot, age=time.monotonic() - self._read_after)

    def commit(self) -> None:
        """Send the changes and commit, in one message."""
        self._changes.append(b"COMMIT")
        self._send()

    def _send(self) -> None:
        self._connection.execute(b"; ".join(self._changes), prepare=False)
        self._changes.clear()


class PostgresTables:
    """Tables in a schema of their own."""

    def __init__(self, session: Session, name: str, schema: str) -> None:
        self._session = session
        self._schema = _schema_name(name)
        self._key = int.from_bytes(blake2b(self._schema.encode(), digest_size=8).digest(), signed=True)
        self._made = False
        self._create = f"CREATE SEQUENCE IF NOT EXISTS numbers; {schema.format(id='BIGINT PRIMARY KEY')}"
        self._begin = (
            f"BEGIN; SELECT {_NOW}; SELECT pg_advisory_xact_lock({self._key}); {self._path}; "
            f"SELECT {_NOW}, pg_postmaster_start_time()::text, {_NUMBER}"
        )

    def exists(self) -> bool:
        """Whether the tables have been used."""
        return self._made or self._session.run(self._is_there)

    def run(self, work: Callable[[PostgresTransaction], T], first: Sequence[str] = ()) -> T:
        """Run `work(transaction)`; see Tables."""
        return self._session.run(lambda connection: self._transact(connection, work, first))

    def change(self, statement: str, parameters: Mapping[str, Any]) -> None:
        """Run one statement; see Tables."""

        def work(connection: Connection) -> None:
            self._make(connection)
            changed = psycopg.ClientCursor(connection).mogrify(_translated(statement), parameters)
            connection.execute(f"BEGIN; {self._path}; {changed}; COMMIT".encode(), prepare=False)

        self._session.run(work)

    @property
    def _path(self) -> str:
        return f'SET LOCAL search_path TO "{self._schema}"'

    def _transact(self, connection: Connection, work: Callable[[PostgresTransaction], T], first: Sequence[str]) -> T:
        self._make(connection)
        began = time.monotonic()
        try:
            opened = _begin_answer(
                connection.execute("; ".join([self._begin, *first]).encode(), prepare=False), len(first)
            )
            transaction = PostgresTransaction(connection, opened, began + opened.waited)
            result = work(transaction)
            transaction.commit()
        except BaseException:
            if not connection.closed:
                connection.execute("ROLLBACK")
            raise
        return result

    def _is_there(self, connection: Connection) -> bool:
        row = connection.execute("SELECT to_regnamespace(%s)", (f'"{self._schema}"',)).fetchone()
        self._made = bool(row and row[0])
        return self._made

    def _make(self, connection: Connection) -> None:
        if not self._made and not self._is_there(connection):
            with creating(connection):
                connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(self._schema)))
                connection.execute(sql.SQL("SET LOCAL search_path TO {}").format(sql.Identifier(self._schema)))
                connection.execute(self._create)
        self._made = True


class PostgresNotes:
    """Notes of one kind; see Notes. A change is on the disk when the method returns."""

    def __init__(self, session: Session, kind: str) -> None:
        self._session, self._kind = session, kind

    def read(self, key: str) -> str | None:
        """The text; see Notes."""
        query = f"SELECT text FROM {_NOTE} WHERE kind = %s AND key = %s"
        row = self._session.run(lambda connection: connection.execute(query, (self._kind, key)).fetchone())
        return None if row is None else str(row[0])

    def add(self, key: str, text: str = "") -> bool:
        """Add a note; see Notes."""
        return self._change(f"INSERT INTO {_NOTE} VALUES (%s, %s, %s) ON CONFLICT DO NOTHING", key, text) > 0

    def remove(self, key: str) -> None:
        """Remove a note; see Notes."""
        self._change(f"DELETE FROM {_NOTE} WHERE kind = %s AND key = %s", key)

    def _change(self, statement: str, *parameters: object) -> int:
        def work(connection: Connection) -> int:
            with connection.transaction():
                connection.execute("SET LOCAL synchronous_commit = on")
                return connection.execute(statement, (self._kind, *parameters)).rowcount

        return self._session.run(work)


def _begin_answer(cursor: psycopg.Cursor[Any], first: int) -> BeginAnswer:
    """Read the answer to the beginning of a transaction, and to the `first` queries."""
    cursor.nextset()
    (requested_at,) = cursor.fetchone() or (0.0,)
    for _ in range(3):  # past the lock and the path
        cursor.nextset()
    row = cursor.fetchone()
    assert row is not None
    wall, boot, number = row
    rows = []
    for _ in range(first):
        cursor.nextset()
        rows.append(cursor.fetchall())
    return BeginAnswer(wall, boot, number, max(0.0, wall - requested_at), rows)


def _schema_name(name: str) -> str:
    text = f"{SCHEMA}_{name}".replace("/", "_").replace('"', "_")
    if len(text.encode()) <= _LONGEST_NAME:
        return text
    digest = blake2b(name.encode(), digest_size=8).hexdigest()
    return f"{text.encode()[: _LONGEST_NAME - 17].decode(errors='ignore')}_{digest}"


@lru_cache(maxsize=64)
def _translated(statement: str) -> str:
    return re.sub(r"(?<![:\w]):(\w+)", r"%(\1)s", statement.replace("%", "%%"))
