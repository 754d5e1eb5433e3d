"""Engines of Dagster's SQLite files that are kept from one access to the next.

Here: `keep`. Keep out: the event log, which also keeps its connections (event_log.py).

Why: Dagster makes a new engine for every access to its runs and ticks, and SQLAlchemy compiles each statement again for
a new engine. This was half of the CPU time of a daemon that has nothing to do. Connections are still closed after each
access.
Fallback: Dagster makes an engine for each access.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.pool import NullPool

from orgdata_dagster.dagster_internals import NotThere, private


def keep() -> None:
    """Make this process and its forked children keep the engines. Can be called repeatedly."""
    with suppress(NotThere), private("SQLite storages"):
        from dagster._core.storage.runs.sqlite import sqlite_run_storage as runs
        from dagster._core.storage.schedules.sqlite import sqlite_schedule_storage as schedules

        modules: tuple[Any, ...] = (runs, schedules)
        for module in modules:
            if module.create_engine.__module__ != __name__:
                module.create_engine = _kept(module.create_engine)


def _kept(create: Callable[..., Engine]) -> Callable[..., Engine]:
    @lru_cache(maxsize=16)
    def known(url: str) -> Engine:
        return create(url, poolclass=NullPool)

    def engine(url: str, **options: Any) -> Engine:
        return known(url) if options == {"poolclass": NullPool} else create(url, **options)

    return engine
