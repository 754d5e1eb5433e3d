"""Maintenance of a lake: a daily job merges its files, expires old snapshots, and reports the result.

Here: the job `lake_maintenance`, its schedule, and retention times. A project has them only if its warehouse is a lake.
Keep out: DuckLake's procedures (warehouse/storage/maintenance.py), records of the ledger (retention.py).
"""

from datetime import UTC, datetime

import dagster as dg

from orgdata_dagster import settings
from orgdata_dagster.counting import counted
from orgdata_dagster.orchestration.assets.interrupts import uninterrupted
from orgdata_dagster.orchestration.instance.daily_jobs import Kept, every_day
from orgdata_dagster.orchestration.resources import WarehouseResource
from orgdata_dagster.warehouse.storage.lake import Lake
from orgdata_dagster.warehouse.storage.maintenance import maintain

KEEP_SNAPSHOTS = "ORGDATA_KEEP_SNAPSHOTS"
KEEP_UNUSED_FILES = "ORGDATA_KEEP_UNUSED_FILES"
KEPT = Kept({KEEP_SNAPSHOTS: "7d", KEEP_UNUSED_FILES: "1d"})


def definitions() -> dg.Definitions:
    """The job and its schedule if ORGDATA_WAREHOUSE is a lake."""
    if not (settings.configured_warehouse() or "").lower().startswith("ducklake:"):
        return dg.Definitions()
    return dg.Definitions(jobs=[lake_maintenance_job], schedules=[lake_maintenance_schedule])


@dg.op(name="maintain_lake", out=dg.Out(dg.Nothing))
@uninterrupted
def _maintain(context: dg.OpExecutionContext, warehouse: WarehouseResource) -> dg.Output[None]:
    now = datetime.now(UTC)
    snapshots_before, files_before = now - KEPT[KEEP_SNAPSHOTS], now - KEPT[KEEP_UNUSED_FILES]
    figures: dict[str, int | str] = {**KEPT.metadata()}
    opened = warehouse.open()
    if isinstance(opened.storage, Lake) and opened.exists:
        done = maintain(opened, snapshots_before=snapshots_before, files_before=files_before)
        figures |= {
            "files_rewritten": done.rewritten,
            "files_merged": done.merged,
            "snapshots_expired": done.snapshots,
            "files_deleted": done.deleted,
            "files": done.files,
            "bytes": done.bytes,
        }
        context.log.info(
            f"merged {counted(done.merged, 'file')}, expired {counted(done.snapshots, 'snapshot')} and deleted "
            f"{counted(done.deleted, 'file')}; the lake has {counted(done.files, 'file')} ({done.bytes / 1e6:.1f} MB)"
        )
    return dg.Output(None, metadata=figures)


@dg.job(name="lake_maintenance", description="Merges the lake's small files, and removes old states with their files.")
def lake_maintenance_job() -> None:
    """One op, which takes the write lock for one step at a time."""
    _maintain()


lake_maintenance_schedule = every_day(
    lake_maintenance_job,
    "40 3 * * *",
    "Once a day. ORGDATA_KEEP_SNAPSHOTS and ORGDATA_KEEP_UNUSED_FILES set how long snapshots and unused files stay.",
)
