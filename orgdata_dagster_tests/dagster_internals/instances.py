"""Dagster's instance in memory, for tests that run assets in their own process.

Here: `in_memory`, which reaches into both storages. Keep out: instances with files, as users have them
(integration/home.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.event import listen
from sqlalchemy.pool import QueuePool


def in_memory() -> dg.DagsterInstance:
    """`DagsterInstance.ephemeral()` whose storages keep their connections.

    Dagster's own open one for each of the hundred statements of a run and prepare it again: an eighth of the CPU time
    of a small pull.
    """
    instance = dg.DagsterInstance.ephemeral()
    events: Any = instance.event_log_storage
    runs: Any = instance.run_storage
    events._engine, runs._engine = _keeping(events._engine), _keeping(runs._engine)

    @contextmanager
    def events_connection() -> Iterator[Connection]:
        with events._db_lock, events._engine.begin() as connection:
            yield connection

    events._connect, runs.connect = events_connection, runs._engine.begin
    return instance


def _keeping(engine: Engine) -> Engine:
    """An engine for the same database that keeps its connections. They are only used in transactions."""
    other = create_engine(
        engine.url, poolclass=QueuePool, pool_reset_on_return=None, connect_args={"check_same_thread": False}
    )
    listen(other, "connect", lambda connection, _: connection.execute("PRAGMA foreign_keys = ON"))
    return other
