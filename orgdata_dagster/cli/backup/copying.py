"""Copies of files that other processes may be changing.

Here: `copy_in_a_process`, and the work of that process. Keep out: which files (making.py).

A separate process copies them, because closing a file drops all POSIX locks that the process holds on it, and SQLite
and DuckDB protect their databases with such locks. SQLite copies its own databases, so that each copy shows one moment.
It runs this file alone and imports nothing of ours: importing Dagster takes seconds, during which pulls wait for the
warehouse.
"""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

_SQLITE = b"SQLite format 3\0"
_TEMPORARY = ("staging", "outline.json")  # pages that have not landed, and a cache
_AUXILIARY = (".lock", ".queue", "-wal", "-shm", "-journal")  # locks, and SQLite's own files next to a database
_DATABASES = (".duckdb", ".wal")  # the warehouse is copied separately, under its lock; other databases are not ours


def copy_in_a_process(source: Path, target: Path) -> None:
    """Copy a file, or a folder with everything that belongs to the project. Raises UserError if that fails."""
    from orgdata_dagster.cli.errors import UserError  # not at the top, see above

    command = [sys.executable, "-I", "-S", __file__, str(source), str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        message = (done.stderr.strip().splitlines() or ["it was killed"])[-1]
        raise UserError(f"cannot copy {source} to {target}: {message}")


def copy(source: Path, target: Path) -> None:
    """Copy one file; of a SQLite database, the state of one moment."""
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with source.open("rb") as file:
        is_sqlite = file.read(len(_SQLITE)) == _SQLITE
    if not is_sqlite:
        shutil.copyfile(source, target)
        return
    database = sqlite3.connect(f"file:{source}?mode=ro", uri=True, timeout=60)
    with closing(database), closing(sqlite3.connect(target)) as made:
        database.backup(made)


def files_of(home: Path) -> Iterator[Path]:
    """The files of a home, as paths below it, in an order that keeps the copies consistent.

    Dagster writes an event to the database of its run and then to the index, so the index is copied last. The table of
    runs is copied first: a run that ends meanwhile is still running in the copy, and `orgdata restore` then compares it
    with the ledger.
    """
    found = [path.relative_to(home) for path in home.rglob("*") if path.is_file() and not path.is_symlink()]
    left_out = (*_AUXILIARY, *_DATABASES)
    kept = [path for path in found if not path.name.endswith(left_out) and path.parts[0] not in _TEMPORARY]
    return iter(sorted(kept, key=lambda path: (path.name != "runs.db", path.name == "index.db", str(path))))


def _main(source: Path, target: Path) -> None:
    if source.is_file():
        copy(source, target)
        return
    for path in files_of(source):
        try:
            copy(source / path, target / path)
        except FileNotFoundError:
            continue  # removed meanwhile, such as the logs of an old run


if __name__ == "__main__":
    _main(*map(Path, sys.argv[1:]))
