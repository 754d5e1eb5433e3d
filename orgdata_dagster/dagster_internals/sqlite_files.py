"""The SQLite files in which Dagster stores runs and events, read without importing Dagster.

Here: `sqlite_file`, which finds one. Keep out: the queries (failing_checks.py, all_succeeded.py).

Why: see the modules that read them. Fallback: Dagster's public interface, which the caller uses on an ImportError.
"""

from __future__ import annotations

import re
from pathlib import Path

EVENTS, RUNS = "history/runs/index.db", "history/runs.db"
_OTHER_STORAGE = re.compile(r"^\s*(postgres|mysql)\s*:|\bdagster_(postgres|mysql)\b", re.MULTILINE)


def sqlite_file(dagster_home: Path, name: str) -> Path:
    """The file with this name in the instance's folder.

    Raises ImportError if it does not exist, or if dagster.yaml names another storage: the file may then be a remnant.
    """
    file = dagster_home / name
    if not file.exists():
        raise ImportError(f"{name} is in another database")
    if _OTHER_STORAGE.search((dagster_home / "dagster.yaml").read_text(encoding="utf-8")):
        raise ImportError("dagster.yaml names another database")
    return file
