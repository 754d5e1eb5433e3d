"""Poolers between a process and PostgreSQL, such as PgBouncer.

Here: `shares_sessions`, which recognises a pooler in transaction mode. Keep out: messages.

Such a pooler gives a session to another client after each transaction. The session's locks then belong to nobody: two
processes can have the same lock, and a lock does not end with its process.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg

_ATTEMPTS = 4


def shares_sessions(connection: psycopg.Connection[Any], connect: Callable[[], psycopg.Connection[Any]]) -> bool:
    """Whether the connection leads to a pooler in transaction mode. `connect`: opens another one to the same place."""
    session = _session(connection)
    if session == connection.info.backend_pid:  # a pooler invents this number
        return False
    with connect() as other:
        # the session that was just given back is the first one to be given away
        return any(_session(other) == session or _session(connection) != session for _ in range(_ATTEMPTS))


def _session(connection: psycopg.Connection[Any]) -> int:
    """The number of the server's process."""
    row = connection.execute("SELECT pg_backend_pid()").fetchone()
    return int(row[0]) if row else 0
