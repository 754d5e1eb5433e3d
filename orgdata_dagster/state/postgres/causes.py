"""Messages about a database that cannot be used, and which errors are transient.

Here: messages without credentials, and the classification of errors. Add here when: a server fails in another way.
Keep out: retries (session.py).
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import Any

import psycopg

from orgdata_dagster.state.postgres_address import parsed

INVALID = (
    "ORGDATA_STATE is not a valid address of a database. Write postgresql://USER@HOST:5432/DATABASE, with characters "
    "such as @, / and % in a password escaped as %40, %2F and %25."
)
LOST = (
    "This process had no connection to the shared state at {place} for so long that it was considered dead, and {what} "
    "was given to other processes. It sends no more requests; another run repeats its work."
)
POOLED = (
    "The shared state at {place} is behind a pooler in transaction mode, in which locks do not belong to one process. "
    "Connect to PostgreSQL directly, or to a pooler in session mode, in ORGDATA_STATE."
)
# Classes of SQLSTATE, and single codes: a lost connection, short resources, a server that shuts down or starts, and a
# transaction that was aborted by the server or took too long.
_PASSING = ("08", "53", "57P", "57014", "40", "25P03", "58")
# libpq has no SQLSTATE for an attempt to connect
_REFUSED = ("authentication failed", "does not exist", "pg_hba.conf", "no password supplied", "not permitted to log in")


def place(parameters: Mapping[str, Any]) -> str:
    """Host, port and database of connection parameters, or the service that names them."""
    if "host" not in parameters and (service := parameters.get("service") or os.environ.get("PGSERVICE")):
        return f"the service {service}"
    host = parameters.get("host") or os.environ.get("PGHOST") or "the local socket"
    port = parameters.get("port") or os.environ.get("PGPORT") or 5432
    user = parameters.get("user") or os.environ.get("PGUSER")
    database = parameters.get("dbname") or os.environ.get("PGDATABASE") or user or "the default database"
    return f"{host}:{port}/{database}"


def client_options(uri: str) -> dict[str, Any]:
    """The parameters of the connection: those of the URI, and ours where it has none."""
    wanted = {
        "application_name": f"orgdata {socket.gethostname()[:40]}:{os.getpid()}",  # see locks.py
        "connect_timeout": 6,  # shorter than the grace after an outage (session.py)
        "client_encoding": "UTF8",  # otherwise texts are bytes in a database that was made without a locale
        "target_session_attrs": "read-write",  # of several hosts the one that is not a replica
        "keepalives_idle": 4,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": 10_000,
    }
    return wanted | parsed(uri)


def passes(error: psycopg.Error) -> bool:
    """Whether another attempt may succeed."""
    if error.sqlstate is not None:
        return error.sqlstate.startswith(_PASSING)
    return isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError)) and not any(
        text in str(error) for text in _REFUSED
    )


def waiting(where: str, error: psycopg.Error) -> str:
    """The message that a process logs once while it tries to connect."""
    return f"Waiting for the shared state at {where}, without which no request is sent: {_words(error)}"


def silent(where: str, error: psycopg.Error) -> str:
    """The message for a server that did not answer in time."""
    return (
        f"The shared state at {where} does not answer: {_words(error)}. No request is sent without it. Start the "
        "server or check ORGDATA_STATE, then try again."
    )


def refused(where: str, error: psycopg.Error) -> str:
    """The message for a server that refuses the connection or a statement."""
    return f"The shared state at {where} cannot be used: {_words(error)}. Check ORGDATA_STATE and the user's rights."


def _words(error: psycopg.Error) -> str:
    text = error.diag.message_primary or str(error)
    first = [line.strip() for line in text.splitlines() if line.strip()][:1] or [type(error).__name__]
    return first[0].rpartition("failed: ")[2].removeprefix("FATAL:").strip().rstrip(".?")
