"""Removing Dagster's log of an old run without its materializations.

Here: `drop_run_log`. Keep out: which runs are old (orchestration/instance/retention.py).

Why: `instance.delete_run` also removes a run's materializations, and with them the state of its partitions. The SQLite
storage has one file per run, which only contains the log, and an index of all assets.
Fallback: other storages keep their logs, which their own tools can prune.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import dagster as dg

from orgdata_dagster.dagster_internals import NotThere, private


def drop_run_log(instance: dg.DagsterInstance, run_id: str) -> int | None:
    """Empty the log of a finished run; returns the number of bytes freed, or None if the storage cannot do it."""
    try:
        with private("files of runs"):
            from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage

            storage = instance.event_log_storage
    except NotThere:
        return None
    if not isinstance(storage, SqliteEventLogStorage) or not hasattr(storage, "path_for_shard"):
        return None
    path = Path(storage.path_for_shard(run_id))
    if not path.exists():
        return 0
    before = path.stat().st_size
    # emptied, not deleted, because a process that has shown the run expects the tables in the file
    with closing(sqlite3.connect(path, timeout=60, isolation_level=None)) as connection:
        if connection.execute("DELETE FROM event_logs").rowcount:
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return max(0, before - path.stat().st_size)
