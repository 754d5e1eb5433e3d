"""Engines of Dagster's SQLite files: kept from one access to the next, and with fewer waits for the disk.

Here: `keep`, and `in_wal`, the settings of a connection. Keep out: the event log, which also keeps its connections
(event_log.py).

Why: Dagster makes a new engine for every access to its runs and ticks, and SQLAlchemy compiles each statement again for
a new engine. This was half of the CPU time of a daemon that has nothing to do. Connections are still closed after each
access. Dagster's own settings wait for the disk three hundred times until a new instance has its tables, and thirty
times per run.
Fallback: Dagster makes an engine for each access, with its own settings.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.event import listen
from sqlalchemy.pool import NullPool

from orgdata_dagster.dagster_internals import NotThere, private


def keep() -> None:
    """Make this process and its forked children use these engines. Can be called repeatedly."""
    with suppress(NotThere), private("SQLite storages"):
        from dagster._core.storage.event_log.sqlite import sqlite_event_log as events
        from dagster._core.storage.runs.sqlite import sqlite_run_storage as runs
        from dagster._core.storage.schedules.sqlite import sqlite_schedule_storage as schedules

        modules: tuple[Any, ...] = (runs, schedules, events)
        for module in modules:
            if module.create_engine.__module__ != __name__:
                module.create_engine = _kept(module.create_engine)


def in_wal(engine: Engine) -> Engine:
    """Let the engine's connections write to a write-ahead log, and wait for the disk only when SQLite empties it.

    A commit survives the death of the process, but perhaps not a power failure. The last runs and events may then be
    missing in the UI, but the warehouse, which waits for the disk, still knows which partitions have landed.
    """
    listen(engine, "connect", _set)
    return engine


def _set(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")


def _kept(create: Callable[..., Engine]) -> Callable[..., Engine]:
    @lru_cache(maxsize=16)
    def known(url: str) -> Engine:
        return in_wal(create(url, poolclass=NullPool))

    def engine(url: str, **options: Any) -> Engine:
        return known(url) if options == {"poolclass": NullPool} else in_wal(create(url, **options))

    return engine
