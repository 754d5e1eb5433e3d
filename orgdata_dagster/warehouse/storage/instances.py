"""A pool of DuckDB instances, because creating one takes 15 ms of CPU, which is longer than most queries.

Here: lending an instance, and resetting it before its next use. Add here: another thing that a use may leave behind.
Keep out: attaching databases and queries (connection.py).

Temporary tables, an open transaction and local settings belong to a connection and end with it. The rest is reset:
databases are detached and global settings are set again. An instance is closed instead after an error, or if it cannot
be reset (tables in its memory, a spill folder in use).
"""

from __future__ import annotations

import itertools
import os
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from orgdata_dagster.warehouse.names import literal, quoted

_ATTACHED = "SELECT database_name FROM duckdb_databases() WHERE NOT internal AND database_name <> 'memory'"
_LEFT = (
    "SELECT 1 FROM duckdb_tables() UNION ALL SELECT 1 FROM duckdb_views() WHERE NOT internal "
    "UNION ALL SELECT 1 FROM duckdb_schemas() WHERE NOT internal"
)
_SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "threads": 1,
    # return the memory of a finished page to the system, so that it no longer counts towards the limit
    "allocator_flush_threshold": "64MB",
    "allocator_bulk_deallocation_flush_threshold": "32MB",
}

# per process: a forked process must not use its parent's instances
_idle: defaultdict[int, list[duckdb.DuckDBPyConnection]] = defaultdict(list)
_numbers = itertools.count()


def idle() -> list[duckdb.DuckDBPyConnection]:
    """The instances of this process that are not in use."""
    return _idle[os.getpid()]


@contextmanager
def lent(*, memory: str, threads: int, spill: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to an empty in-memory instance in UTC with these limits, which is reset at the end.

    memory: DuckDB's memory limit, such as `192MB`.
    spill: a folder of this process. Each instance spills to a folder of its own in it, because DuckDB uses the same
        file names in every instance.
    """
    try:
        instance = idle().pop()
    except IndexError:
        instance = duckdb.connect(config=_SETTINGS)
    try:
        instance.execute(
            f"SET GLOBAL memory_limit = {literal(memory)}; SET GLOBAL threads = {threads}; "
            f"SET GLOBAL temp_directory = {literal(str(spill / str(next(_numbers))))}; "
            "SET GLOBAL TimeZone = 'UTC'; SET GLOBAL preserve_insertion_order = false"
        )
        with instance.cursor() as connection:
            yield connection
    except BaseException:
        instance.close()
        raise
    if _emptied(instance):
        idle().append(instance)


def _emptied(instance: duckdb.DuckDBPyConnection) -> bool:
    """Reset an instance; returns whether it can be used again. If not, the instance is closed."""
    try:
        for (name,) in instance.execute(_ATTACHED).fetchall():
            instance.execute(f"DETACH {quoted(name)}")
        instance.execute("SET GLOBAL threads = 1; SET GLOBAL temp_directory = ''")  # an idle instance keeps no threads
        if instance.execute(_LEFT).fetchone() is None:
            return True
    except duckdb.Error:
        pass
    instance.close()
    return False
