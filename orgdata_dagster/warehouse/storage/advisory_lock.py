"""A lock on a PostgreSQL server that ends with its holder, for writers on any number of machines.

Here: `held`, and `holders`. Keep out: what is locked (postgres_catalog.py), locks on one machine (state/file_lock.py).

The lock belongs to a connection of its own (`pg_advisory_lock`). The server releases it when the connection ends: at
once after kill -9, and within half a minute after a machine or the network has failed. Waiters get it in their order.
"""

from __future__ import annotations

import json
import os
import selectors
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

from orgdata_dagster.state import stopping
from orgdata_dagster.state.file_lock import StillHeld, notifying
from orgdata_dagster.warehouse.errors import WarehouseDisconnected, WarehouseUnavailable
from orgdata_dagster.warehouse.storage.holders import named
from orgdata_dagster.warehouse.storage.storage import Confirm

if TYPE_CHECKING:
    import psycopg

DRIVER = "needs the driver psycopg: pip install 'orgdata[lake]'"
# libpq's parameters of every connection to the catalog: without them, a process would wait for a quarter of an hour for
# a network that has failed.
PATIENCE = {
    "connect_timeout": "10",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "25000",
}
# The server closes a connection whose machine has failed after 10 + 3 * 5 seconds. An idle connection stays open,
# because it holds the lock, and a query that waits for the lock does not end.
_SESSION = {
    "idle_session_timeout": "0",
    "statement_timeout": "0",
    "lock_timeout": "0",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}
_SET = "SELECT set_config(name, (%s::jsonb) ->> name, false) FROM pg_settings WHERE (%s::jsonb) ? name"
_HOLDERS = """
SELECT DISTINCT a.application_name, host(a.client_addr), a.pid FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.database = (
    SELECT oid FROM pg_database WHERE datname = current_database())
AND (l.classid::bigint << 32) + l.objid::bigint = %s ORDER BY 3
"""
_NAME = "orgdata on "
_POOLED = (
    "The warehouse's catalog on PostgreSQL is behind a pooler in transaction mode, in which locks do not belong to one "
    "process. Nothing was committed. Connect to PostgreSQL directly, or to a pooler in session mode, in "
    "ORGDATA_WAREHOUSE."
)
_LONGEST = 300  # characters of a message
_CANCELING = 0.5  # seconds
_POLL = 0.1  # seconds between two looks at the patience and at a request to stop


@contextmanager
def held(
    parameters: Mapping[str, str], key: int, *, waiting: Callable[[], None], patience: float | None
) -> Iterator[Confirm]:
    """Hold the lock until the context ends.

    parameters: libpq's parameters of the connection.
    key: the lock, a 64-bit number.

    Raises StillHeld when `patience` is over, WarehouseUnavailable if the server cannot be reached, and stopping.Stopped
    soon after the process is asked to stop.
    """
    with connected(parameters) as connection:
        import psycopg

        from orgdata_dagster.state.postgres.pooler import shares_sessions

        if shares_sessions(connection, partial(_connect, parameters)):
            raise WarehouseUnavailable(_POOLED)
        with notifying(waiting) as begin:
            (got,) = connection.execute("SELECT pg_try_advisory_lock(%s)", [key]).fetchone() or (False,)
            if not got:
                begin()
                _wait(connection, key, patience)

        def confirm() -> None:
            try:
                connection.execute("SELECT 1")
            except psycopg.Error as error:
                raise WarehouseDisconnected(
                    f"The connection to PostgreSQL that held the warehouse's lock was lost ({_message(error)}). "
                    "Nothing was committed: run this again."
                ) from None

        yield confirm


def holders(parameters: Mapping[str, str], key: int) -> list[str]:
    """The processes that hold the lock, for a message; empty if nobody holds it, or if the holder is unknown."""
    with connected(parameters) as connection:
        rows = connection.execute(_HOLDERS, [key]).fetchall()
    return [_holder(name, address) for name, address, _ in rows]


@contextmanager
def connected(parameters: Mapping[str, str]) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """A connection in autocommit mode. Raises WarehouseUnavailable if the server cannot be reached or goes away."""
    connection = _connect(parameters)
    import psycopg

    try:
        session = json.dumps(_SESSION)
        connection.execute(_SET, [session, session])
        yield connection
    except psycopg.Error as error:
        raise WarehouseDisconnected(
            f"The connection to the warehouse's catalog on PostgreSQL was lost ({_message(error)}). Nothing was "
            "committed: run this again."
        ) from None
    finally:
        connection.close()


def _connect(parameters: Mapping[str, str]) -> psycopg.Connection[tuple[object, ...]]:
    try:
        import psycopg
        from psycopg.conninfo import make_conninfo
    except ImportError:
        raise WarehouseUnavailable(f"A warehouse whose catalog is on PostgreSQL {DRIVER}") from None
    name = f"{_NAME}{socket.gethostname()[:30]}, process {os.getpid()}"
    mine = {**PATIENCE, "client_encoding": "UTF8", "application_name": name[:63], **parameters}
    try:
        return psycopg.connect(make_conninfo(**mine), autocommit=True, prepare_threshold=None)
    except psycopg.Error as error:
        from orgdata_dagster.state.postgres.causes import passes

        raise (WarehouseDisconnected if passes(error) else WarehouseUnavailable)(
            f"Cannot connect to the warehouse's catalog on PostgreSQL: {_message(error)}. See ORGDATA_WAREHOUSE, "
            "PGPASSWORD and PGSERVICE."
        ) from None


def _wait(connection: psycopg.Connection[tuple[object, ...]], key: int, patience: float | None) -> None:
    """Wait for the lock in the server's queue. The query is sent without waiting for its result, to end when needed."""
    import psycopg

    deadline = None if patience is None else time.monotonic() + patience
    query = connection.pgconn
    query.send_query(b"SELECT pg_advisory_lock(%d)" % key)
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(query.socket, selectors.EVENT_READ)
            while query.is_busy():
                stopping.check_cut()
                if deadline is not None and time.monotonic() > deadline:
                    raise StillHeld
                if selector.select(_POLL):
                    query.consume_input()
    except BaseException:
        with suppress(psycopg.Error):  # or the server would give the lock to a connection that is gone
            connection.cancel_safe(timeout=_CANCELING)
        raise
    while (result := query.get_result()) is not None:
        if result.status != psycopg.pq.ExecStatus.TUPLES_OK:
            raise psycopg.errors.error_from_result(result)


def _holder(name: object, address: object) -> str:
    """The process that a connection's name identifies, with its command if it runs on this machine."""
    host, _, pid = str(name).removeprefix(_NAME).partition(", process ")
    if not str(name).startswith(_NAME) or not pid.isdigit():
        return f"a program at {address or 'the server'} ({name or 'without a name'})"
    if host == socket.gethostname()[:30] and os.path.exists(f"/proc/{pid}"):
        return str(named(int(pid)))
    return f"process {pid} on {host}"


def _message(error: Exception) -> str:
    """The driver's message in one line. It never contains a password."""
    return (" ".join(str(error).split())[:_LONGEST] or type(error).__name__).rstrip(".")
