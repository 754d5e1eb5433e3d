"""Maintenance of a lake: merging small files, and forgetting states and files that nobody needs any more.

Here: `maintain`. Add here: another of DuckLake's own procedures.
Keep out: when it runs and how long states are kept (orchestration/instance/lake_maintenance.py).

Every commit adds a file per table, and a lake keeps all earlier states (`AT (VERSION => n)`), until they expire. Files
that nothing refers to because their writer was killed are left alone: DuckLake finds them by listing the folder, and
would take the files of another lake in the same folder for such.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from orgdata_dagster.warehouse.names import literal
from orgdata_dagster.warehouse.storage.connection import Warehouse
from orgdata_dagster.warehouse.storage.lake import Lake
from orgdata_dagster.warehouse.storage.storage import ALIAS

_REWRITE = 0.5  # share of a file's rows that were deleted, from which on it is written again without them


class Maintained(NamedTuple):
    """What maintenance did.

    rewritten: files written again without their deleted rows. merged: small files that became fewer.
    snapshots: states that expired. deleted: files removed from the disk.
    files, bytes: what the lake has now, in its last state.
    """

    rewritten: int
    merged: int
    snapshots: int
    deleted: int
    files: int
    bytes: int


def maintain(warehouse: Warehouse, *, snapshots_before: datetime, files_before: datetime) -> Maintained:
    """Maintain a lake.

    snapshots_before: states that are older expire; the last one never does.
    files_before: files that no state has needed since then are removed; readers may still be reading newer ones.
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
    """Run one procedure under the lock, which it gives back for other writers; returns a figure of its result."""
    options = ", ".join(filter(None, [literal(ALIAS), option]))
    with warehouse.alone().transaction() as connection:
        # all of the result: it does not take effect before it is read to its end
        [(count,)] = connection.execute(f"SELECT {what} FROM ducklake_{procedure}({options})").fetchall()
    return int(count or 0)


def _older_than(instant: datetime) -> str:
    return f"older_than => CAST({literal(instant.isoformat())} AS TIMESTAMPTZ)"
