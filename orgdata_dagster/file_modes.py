"""File modes: data and state are readable by their owner only.

Here: making new files private, and finding files that are not. Add here when: data or state is stored in another place.
Keep out: the locations of files (settings.py), and messages to the user (cli/doctor/).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from orgdata_dagster import settings

_OTHERS = 0o077
FOLDER, FILE = 0o700, 0o600


def keep_private() -> None:
    """Make this process and its children create files for their owner only (0600, folders 0700).

    Called at every entry point: the command line, the code location (and thereby the daemon's runs) and the Dagster
    instance. It sets the umask, because DuckDB, SQLite and Dagster also create files.
    """
    os.umask(_OTHERS)


@contextmanager
def usual_modes() -> Iterator[None]:
    """Create files with the usual modes (0644, folders 0755), for files without data and state."""
    before = os.umask(0o022)
    try:
        yield
    finally:
        os.umask(before)


def exposed(warehouse: Iterable[Path]) -> Iterator[Path]:
    """Paths in the home, the warehouse and the Dagster instance that other users can access. Ignores symbolic links.

    warehouse: its files and folders on this machine. The content of a folder is not checked, because nobody else can
        enter a private folder.
    """
    home = settings.home()
    places = [home, settings.dagster_home()]
    seen = set[str]()
    for place in places:
        for path in [place, *_below(place)]:
            if str(path) not in seen and _is_exposed(path):
                seen.add(str(path))
                yield path
    for path in warehouse:
        if str(path) not in seen and _is_exposed(path):
            yield path


def tighten(warehouse: Iterable[Path]) -> int:
    """Restrict exposed files and folders to their owner; returns their number. warehouse: as for `exposed`."""
    count = 0
    for path in list(exposed(warehouse)):
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
    except FileNotFoundError:  # a run in progress has deleted it
        return False
    kind = found.st_mode
    ours = found.st_uid == os.geteuid() and (stat.S_ISREG(kind) or stat.S_ISDIR(kind))
    return ours and bool(kind & _OTHERS)
