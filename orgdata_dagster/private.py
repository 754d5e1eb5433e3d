"""Files that nobody else on the machine may read: tables, credentials in logs of others, state of the rate limits.

Here: making new files private, and finding those that are not. Add here: another place where data or state lies.
Keep out: where things are (settings.py), telling the user (cli/doctor).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from orgdata_dagster import settings

_OTHERS = 0o077
FOLDER, FILE = 0o700, 0o600


def keep_private() -> None:
    """Have this process and those that it starts make files for their user alone (0600, folders 0700).

    For the entry points: the command line, the code location (so the runs of the daemon too) and the Dagster instance.
    DuckDB, SQLite and Dagster make files of their own, so it takes more than a mode for ours.
    """
    os.umask(_OTHERS)


def exposed() -> Iterator[Path]:
    """What others may read or write of the home, the warehouse and the Dagster instance. Links are not followed."""
    home, uri = settings.home(), settings.warehouse_uri()
    places = [home, Path(os.environ.get("DAGSTER_HOME") or home / "dagster")]
    seen = set[str]()
    for place in places:
        for path in [place, *_below(place)]:
            if str(path) not in seen and _is_exposed(path):
                seen.add(str(path))
                yield path
    warehouse = Path(uri)
    for path in (warehouse, Path(f"{uri}.wal"), Path(f"{uri}.lock")):
        if str(path) not in seen and path.is_file() and _is_exposed(path):
            yield path


def tighten() -> int:
    """Take from others what they may read or write; returns of how many files and folders."""
    count = 0
    for path in list(exposed()):
        with suppress(FileNotFoundError):
            path.chmod(stat.S_IMODE(path.stat().st_mode) & ~_OTHERS)
            count += 1
    return count


def _below(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            yield Path(parent) / name


def _is_exposed(path: Path) -> bool:
    try:
        found = path.lstat()
    except FileNotFoundError:  # a run that goes on takes its files away
        return False
    kind = found.st_mode
    ours = found.st_uid == os.geteuid() and (stat.S_ISREG(kind) or stat.S_ISDIR(kind))
    return ours and bool(kind & _OTHERS)
