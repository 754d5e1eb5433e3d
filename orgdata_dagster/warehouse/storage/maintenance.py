"""Maintenance of a lake: merging small files, expiring old snapshots, and removing files that nothing needs any more.

Here: `maintain`. Add here: another of DuckLake's own procedures.
Keep out: when it runs and how long snapshots are kept (orchestration/instance/lake_maintenance.py).

Every commit adds a file per table, and a lake keeps all earlier snapshots (`AT (VERSION => n)`) until they expire.
Orphaned files of a killed writer are not removed: DuckLake finds them by listing the folder, and would also remove the
files of another lake in the same folder.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from orgdata_dagster.warehouse.names import literal
from orgdata_dagster.warehouse.storage.connection import Warehouse
from orgdata_dagster.warehouse.storage.lake import Lake
from orgdata_dagster.warehouse.storage.storage import ALIAS

_REWRITE = 0.5  # a file is rewritten if at least this share of its rows was deleted


class Maintained(NamedTuple):
    """The result of maintenance.

    rewritten: number of files that were rewritten without their deleted rows.
    merged: number of small files that were merged.
    snapshots: number of expired snapshots.
    deleted: number of files removed from the disk.
    files, bytes: number and size of the files of the last snapshot.
    """

    rewritten: int
    merged: int
    snapshots: int
    deleted: int
    files: int
    bytes: int


def maintain(warehouse: Warehouse, *, snapshots_before: datetime, files_before: datetime) -> Maintained:
    """Maintain a lake.

    snapshots_before: older snapshots expire; the last one never expires.
    files_before: files that no snapshot has needed since then are removed. Readers may still read newer ones.
    """
    assert isinstance(warehouse.storage, Lake), "only a lake needs it"
    rewritten = _count(warehouse, "rewrite_data_files", "sum(files_processed)", f"delete_threshold => {_REWRITE}")
    merged = _count(warehouse, "merge_adjacent_files", "sum(files_processed)")
    snapshots = _count(warehouse, "expire_snapshots", "count(*)", _older_than(snapshots_before))
    deleted = _count(warehouse, "cleanup_old_files", "count(*)", _older_than(files_before))
    with warehouse.reading() as connection:
        found = connection.execute(
            f"SELECT sum(file_count + delete_file_count), sum(file_size_bytes) FROM ducklake_table_info('{ALIAS}')"
        ).fetchone() or (0, 0)
    return Maintained(rewritten, merged, snapshots, deleted, int(found[0] or 0), int(found[1] or 0))


def _count(warehouse: Warehouse, procedure: str, what: str, option: str = "") -> int:
    """Run one procedure under the lock, and release the lock for other writers; returns a figure of the result."""
    options = ", ".join(filter(None, [literal(ALIAS), option]))
    with warehouse.alone().transaction() as connection:
        # fetch the whole result: the procedure does not take effect before that
        [(count,)] = connection.execute(f"SELECT {what} FROM ducklake_{procedure}({options})").fetchall()
    return int(count or 0)


def _older_than(instant: datetime) -> str:
    return f"older_than => CAST({literal(instant.isoformat())} AS TIMESTAMPTZ)"
