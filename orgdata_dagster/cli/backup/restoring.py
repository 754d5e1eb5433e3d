"""Restoring a backup into the project's home, warehouse and databases.

Here: `restore`. Keep out: making one (making.py).

Existing rate limits, pauses and circuit breakers stay as they are, because requests sent since the backup still count.
They are restored only where there are none.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from orgdata_dagster import settings
from orgdata_dagster.cli.backup import HOME, POSTGRES, WAREHOUSE, Description, databases, kind, local_parts, rows_of
from orgdata_dagster.cli.backup.dumps import Database, restore_unused_state
from orgdata_dagster.cli.backup.dumps import restore as restore_dump
from orgdata_dagster.cli.dev import alone
from orgdata_dagster.cli.errors import UserError
from orgdata_dagster.orchestration import opening
from orgdata_dagster.orchestration.instance.orphaned_runs import reap
from orgdata_dagster.orchestration.instance.setup import shared_instance
from orgdata_dagster.warehouse.storage.connection import Warehouse

_DAGSTER = "dagster"


def restore(folder: Path, *, replace: bool) -> tuple[Description, list[Path]]:
    """Restore the backup in `folder`; returns its description, and the paths to which existing files were moved.

    replace: move existing files aside, and replace the tables of databases.

    Raises UserError if the backup is incomplete or damaged, or if the settings name other kinds of storage; if there is
    data already and `replace` is false; if the restored tables have other numbers of rows.
    """
    description = Description.read(folder)
    description.check(folder)
    warehouse = opening.warehouse()
    if "state" in description.databases and (address := settings.state_uri()):
        restore_unused_state(address, folder / POSTGRES / "state.dump")
    with alone():
        found = databases(warehouse)
        _check_kinds(description, warehouse, set(found))
        moved = _make_room(warehouse, found, replace=replace)
        with _held(warehouse):
            _restore_files(folder, warehouse, dagster="dagster" not in found)
            for part in description.databases:
                if part != "state":
                    restore_dump(found[part], folder / POSTGRES / f"{part}.dump")
        _compare(description, warehouse)
        with shared_instance() as instance:
            # runs that are running in the backup have no process: fail them, and report to Dagster what they had landed
            reap(instance, no_daemon=True)
    return description, moved


def _check_kinds(description: Description, warehouse: Warehouse, parts: set[str]) -> None:
    if kind(warehouse) != description.warehouse:
        raise UserError(
            f"the backup is of a {description.warehouse}, and ORGDATA_WAREHOUSE names a {kind(warehouse)}: set it to "
            f"a {description.warehouse}"
        )
    if wrong := parts.symmetric_difference(description.databases):
        name = sorted(wrong)[0]
        there, settings_of = ("has" if name in description.databases else "has no"), _SETTINGS[name]
        raise UserError(f"the backup {there} database of {name} on PostgreSQL: change {settings_of} accordingly")


_SETTINGS = {"dagster": "`storage` in dagster.yaml", "state": "ORGDATA_STATE", "lake": "ORGDATA_WAREHOUSE"}


def _make_room(warehouse: Warehouse, databases: dict[str, Database], *, replace: bool) -> list[Path]:
    """Move existing files aside; returns their new paths.

    Raises UserError if there is data and `replace` is false.
    """
    dagster, used = settings.own_dagster_home(), _has_runs()
    in_files = "dagster" not in databases
    places = [*([dagster] if used and in_files else []), *_places(warehouse)]
    files = [path for path in places if path.is_file() or (path.is_dir() and any(path.iterdir()))]
    filled = ["dagster"] if used and not in_files else []
    filled += ["lake"] if "lake" in databases and warehouse.exists else []
    if (files or filled) and not replace:
        there = [*map(str, files), *(f"the database of {part}" for part in filled)]
        raise UserError(
            f"there is data already: {', '.join(there)}. With --replace, files are moved aside and the tables of "
            "databases are replaced"
        )
    if in_files and not used:
        shutil.rmtree(dagster)  # the check for runs has created an instance without any
    stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%S}"
    return [_moved_aside(path, f"before-restore-{stamp}") for path in files]


def _moved_aside(path: Path, name: str) -> Path:
    """Rename a file or folder; move the content of a mounted folder, which cannot be renamed, into a folder in it."""
    try:
        return path.rename(path.with_name(f"{path.name}.{name}"))
    except OSError as error:
        if not path.is_dir():
            raise UserError(f"cannot move {path} aside: {error.strerror}; make its folder writable") from None
    content, aside = list(path.iterdir()), path / name
    try:
        aside.mkdir(mode=0o700)
        for each in content:
            each.rename(aside / each.name)
    except OSError as error:
        raise UserError(f"cannot move the content of {path} aside: {error.strerror}; make it writable") from None
    return aside


def _has_runs() -> bool:
    with shared_instance() as instance:
        return bool(instance.get_run_ids(limit=1))


def _places(warehouse: Warehouse) -> Iterator[Path]:
    for path in local_parts(warehouse).values():
        yield path
        yield Path(f"{path}.wal")


@contextmanager
def _held(warehouse: Warehouse) -> Iterator[None]:
    """Hold the warehouse's lock, so that no pull writes while its files are restored."""
    with warehouse.storage.locked(shared=False, waiting=lambda: None, patience=30):
        yield


def _restore_files(folder: Path, warehouse: Warehouse, *, dagster: bool) -> None:
    """Copy the backup's files.

    dagster: whether to copy Dagster's storage too; false if it is in a database.
    """
    home = settings.home()
    for source in sorted(path for path in (folder / HOME).rglob("*") if path.is_file()):
        path = source.relative_to(folder / HOME)
        if dagster if path.parts[0] == _DAGSTER else not (home / path).exists():
            _copy(source, home / path)
    for name, target in local_parts(warehouse).items():
        source = folder / WAREHOUSE / name
        for file in sorted(path for path in source.rglob("*") if path.is_file()) if source.is_dir() else [source]:
            if file.exists():
                _copy(file, target / file.relative_to(source) if source.is_dir() else target)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _compare(description: Description, warehouse: Warehouse) -> None:
    found: dict[str, int] = {}
    if warehouse.exists:
        with warehouse.reading() as connection:
            found = rows_of(connection)
    for table in sorted({*found, *description.rows}):
        if found.get(table) != description.rows.get(table):
            raise UserError(
                f"{table} has {found.get(table)} rows after restoring, and had {description.rows.get(table)} in the "
                "backup: do not use this warehouse"
            )
