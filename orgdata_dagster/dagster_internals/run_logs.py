"""Removing what Dagster logged about an old run, without what it knows of assets.

Here: `drop_run_log`. Keep out: which runs are old (orchestration/instance/retention.py).

Why: `instance.delete_run` also removes a run's materializations, and with them the state of its partitions. The SQLite
storage keeps a file per run beside the index of all assets; the file holds the log alone.
Fallback: other storages keep their logs; their own tools prune them.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import dagster as dg

from orgdata_dagster.dagster_internals import NotThere, private


def drop_run_log(instance: dg.DagsterInstance, run_id: str) -> int | None:
    """Empty the log of a finished run; returns the bytes that were freed. None: this storage cannot do it."""
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
    # emptied, not deleted: a process that has shown the run believes that the file has its tables
    with closing(sqlite3.connect(path, timeout=60, isolation_level=None)) as connection:
        if connection.execute("DELETE FROM event_logs").rowcount:
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return max(0, before - path.stat().st_size)
