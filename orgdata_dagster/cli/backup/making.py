"""Making a backup while runs go on.

Here: `make`. Keep out: copying files (copying.py) and PostgreSQL databases (dumps.py).

The warehouse's write lock is held until everything is copied, so nothing is committed meanwhile. Dagster learns of a
commit only after it, so every event in the copy of Dagster's storage has its rows in the copy of the warehouse. A
commit that was not yet reported belongs to a run that is still running in the copy; `orgdata restore` reports it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from orgdata_dagster import settings
from orgdata_dagster.cli.backup import (
    HOME,
    POSTGRES,
    WAREHOUSE,
    Description,
    checksums,
    databases,
    kind,
    local_parts,
    rows_of,
)
from orgdata_dagster.cli.backup.copying import copy_in_a_process
from orgdata_dagster.cli.backup.dumps import dump
from orgdata_dagster.cli.errors import UserError
from orgdata_dagster.orchestration import opening
from orgdata_dagster.warehouse.storage.connection import Warehouse


def make(folder: Path) -> Description:
    """Write a backup to a new or empty folder.

    Raises UserError if the folder is in use or something cannot be copied, WarehouseError if the warehouse cannot be
    opened.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} is not empty: name a new folder for each backup")
    warehouse = opening.warehouse()
    parts, found = local_parts(warehouse), databases(warehouse)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _nothing_is_committed(warehouse) as rows:
        # Dagster's storage first: see the module docstring
        copy_in_a_process(settings.home(), folder / HOME)
        for part, database in found.items():
            dump(database, folder / POSTGRES / f"{part}.dump")
        for name, path in parts.items():
            if path.exists():
                copy_in_a_process(path, folder / WAREHOUSE / name)
    made = Description(
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        orgdata=version("orgdata"),
        warehouse=kind(warehouse),
        databases=sorted(found),
        rows=rows,
        files=checksums(folder),
    )
    made.write(folder)
    return made


@contextmanager
def _nothing_is_committed(warehouse: Warehouse) -> Iterator[dict[str, int]]:
    """Hold the write lock; yields table -> number of rows.

    Raises WarehouseUnavailable at the end if the lock was lost meanwhile, which is possible on a lake.
    """
    if not warehouse.exists:
        with warehouse.storage.locked(shared=False, waiting=lambda: None, patience=None):
            if not warehouse.exists:  # it was not created before we got the lock
                yield {}
                return
    if kind(warehouse) == "lake":
        with warehouse.transaction() as connection:
            yield rows_of(connection)
        return
    with warehouse.writing() as connection:
        connection.execute("CHECKPOINT")  # so that the file alone is the whole database
        yield rows_of(connection)
