"""Whether the last run of every asset succeeded.

Here: `all_succeeded`. Keep out: which runs failed, and why (overview/failures_in_dagster.py).

Why: `orgdata status` names tables whose last run failed, and importing Dagster would take longer than the rest of the
command. This therefore reads Dagster's own SQLite files, and the command imports Dagster only if something failed.
Fallback: the answer is "not all", so that the caller uses Dagster's public interface.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection
from contextlib import closing
from pathlib import Path

from orgdata_dagster.dagster_internals import NotThere, private
from orgdata_dagster.dagster_internals.sqlite_files import EVENTS, RUNS, sqlite_file

_LAST = "SELECT asset_key, last_run_id FROM asset_keys WHERE last_run_id IS NOT NULL"
_OTHERS = "SELECT run_id FROM runs WHERE status <> 'SUCCESS'"


def all_succeeded(dagster_home: Path, assets: Collection[str]) -> bool:
    """Whether the last run of each of these assets has succeeded; False if that is unknown.

    assets: their keys, joined by slashes. An asset without a run counts as successful.
    """
    if not (dagster_home / "dagster.yaml").exists():
        return True  # nothing has run here yet
    try:
        with private("tables of runs"):
            return not _last_runs(dagster_home, assets) & _others(dagster_home)
    except NotThere:
        return False


def _last_runs(dagster_home: Path, assets: Collection[str]) -> set[str]:
    found = _query(sqlite_file(dagster_home, EVENTS), _LAST)
    return {run_id for key, run_id in found if "/".join(json.loads(key)) in assets}


def _others(dagster_home: Path) -> set[str]:
    """The ids of runs that have not succeeded: they failed, were canceled, or are in progress."""
    return {run_id for (run_id,) in _query(sqlite_file(dagster_home, RUNS), _OTHERS)}


def _query(database: Path, sql: str) -> list[tuple[str, ...]]:
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=10)) as connection:
            return connection.execute(sql).fetchall()
    except sqlite3.Error as error:  # another version's tables
        raise ImportError(str(error)) from error
