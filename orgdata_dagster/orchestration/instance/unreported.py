"""What landed and Dagster was not told of: a run commits to the warehouse first, and may be stopped before it reports.

Here: `unreported`, the difference between the ledger and Dagster's events, and `report_landed`, which closes it.
Keep out: runs whose process is gone (orphaned_runs.py), the ledger's tables (warehouse/ledger).

The ledger is the truth: it commits with the rows. So whoever finds a run that failed or was canceled compares the two
once: the reaper, the next pull, `catch_up`, `orgdata doctor --fix`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import dagster as dg
import duckdb

from orgdata_dagster.dagster_internals import materializations
from orgdata_dagster.orchestration.assets import metadata
from orgdata_dagster.orchestration.resources import WarehouseResource
from orgdata_dagster.warehouse.errors import WarehouseError
from orgdata_dagster.warehouse.ledger import loads

REPORTED_TAG = "orgdata/landed_reported"  # its value is the run's id: a retry has all tags of the run before it
_ENDED_EARLY = [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
_LOOK_BACK = 200  # runs
_PATIENCE = 2.0  # seconds for a program that holds the warehouse: the next one who looks finds the same

Unreported = Mapping[str, Sequence[dg.AssetMaterialization]]


def ended_early(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    """The last runs that failed or were canceled and that nobody has compared with the ledger yet."""
    runs = instance.get_runs(dg.RunsFilter(statuses=_ENDED_EARLY), limit=_LOOK_BACK)
    return [run for run in runs if run.tags.get(REPORTED_TAG) != run.run_id]


def unreported(instance: dg.DagsterInstance, runs: Sequence[dg.DagsterRun]) -> Unreported:
    """Run id -> what it landed and has no event for. Raises WarehouseError or duckdb.Error if the ledger is not there
    to be read."""
    warehouse = WarehouseResource(patience=_PATIENCE, queue_patience=_PATIENCE).open()
    if not runs or not warehouse.exists:
        return {}
    with warehouse.reading() as connection:
        landed = loads.landed_by(connection, [run.run_id for run in runs])
    missing: dict[str, list[dg.AssetMaterialization]] = {}
    told = {run_id: _told(instance, run_id) for run_id in {each.run_id for each in landed}}
    for each in landed:
        key = dg.AssetKey([each.table.schema, each.table.name])
        if (key, each.partition) not in told[each.run_id]:
            figures = metadata.of_landed(each)
            found = dg.AssetMaterialization(key, partition=each.partition, metadata=figures)
            missing.setdefault(each.run_id, []).append(found)
    return missing


def report_landed(instance: dg.DagsterInstance, runs: Sequence[dg.DagsterRun]) -> int:
    """Tell Dagster what these runs landed; returns how many partitions it did not know of.

    Where the ledger cannot be read now, nothing is reported, and the runs stay to be compared.
    """
    try:
        missing = unreported(instance, runs)
    except (WarehouseError, duckdb.Error):
        return 0
    for run in runs:
        materializations.report(instance, run, missing.get(run.run_id, ()))
        instance.add_run_tags(run.run_id, {REPORTED_TAG: run.run_id})
    return sum(map(len, missing.values()))


def landed_by(runs: Sequence[dg.DagsterRun]) -> int:
    """How many partitions some runs have landed; 0 where the ledger cannot be read now."""
    warehouse = WarehouseResource(patience=_PATIENCE, queue_patience=_PATIENCE).open()
    try:
        with warehouse.reading() as connection:
            return len(loads.landed_by(connection, [run.run_id for run in runs]))
    except (WarehouseError, duckdb.Error):
        return 0


def _told(instance: dg.DagsterInstance, run_id: str) -> set[tuple[dg.AssetKey | None, str | None]]:
    records = instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION).records
    events = [record.event_log_entry.dagster_event for record in records]
    return {(event.asset_key, event.partition) for event in events if event}
