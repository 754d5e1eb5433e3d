"""DuckDB instances, used again and again: to make one takes 15 ms of CPU, more than most of what is done with it.

What lives here: lending an instance, and what has to be made good before the next one gets it.
Add here when: something of one use can be seen by the next.
Keep out: what is attached and asked (connection.py).

What belongs to a connection (temporary tables, an open transaction, its own settings) ends with it. What belongs to the
instance is made good: databases are detached, global settings are set anew. After an error, or where something cannot
be made good (tables in its memory, a folder that it has spilled to and never leaves), the instance is closed instead.
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
    # what a finished page held goes back to the system: the limit does not count it any more
    "allocator_flush_threshold": "16MB",
    "allocator_bulk_deallocation_flush_threshold": "8MB",
}

# by process: what a fork copies is not its own
_idle: defaultdict[int, list[duckdb.DuckDBPyConnection]] = defaultdict(list)
_numbers = itertools.count()


@contextmanager
def lent(*, memory: str, threads: int, spill: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to an empty in-memory instance in UTC with these limits; at the end all that it holds is given back.

    `memory`: DuckDB's memory limit. `spill`: a folder of this process, in which the instance gets one of its own for
    what exceeds the limit: DuckDB names its files alike in every instance.
    """
    idle = _idle[os.getpid()]
    try:
        instance = idle.pop()
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
        idle.append(instance)


def _emptied(instance: duckdb.DuckDBPyConnection) -> bool:
    """Whether it is as good as a new one by now; if not, it is closed."""
    try:
        for (name,) in instance.execute(_ATTACHED).fetchall():
            instance.execute(f"DETACH {quoted(name)}")
        instance.execute("SET GLOBAL threads = 1; SET GLOBAL temp_directory = ''")  # idle, it has no threads
        if instance.execute(_LEFT).fetchone() is None:
            return True
    except duckdb.Error:
        pass
    instance.close()
    return False
