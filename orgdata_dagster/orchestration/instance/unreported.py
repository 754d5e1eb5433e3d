"""Partitions that have landed but are not reported to Dagster, because a run was stopped between commit and report.

Here: `unreported`, the difference between the ledger and Dagster's events, and `report_landed`, which reports it and
removes the checks that these runs have planned but not evaluated.
Keep out: runs of dead processes (orphaned_runs.py), the ledger's tables (warehouse/ledger/).

The ledger is correct, because it is committed with the rows. Each run that failed or was canceled is compared with it
once: by the clean-up of orphaned runs, the next pull, `catch_up`, or `orgdata doctor --fix`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import dagster as dg
import duckdb

from orgdata_dagster.dagster_internals import check_plans, materializations
from orgdata_dagster.orchestration.assets import metadata
from orgdata_dagster.orchestration.resources import WarehouseResource
from orgdata_dagster.orchestration.tags import REPORTED_TAG
from orgdata_dagster.state import stopping
from orgdata_dagster.warehouse.errors import WarehouseError
from orgdata_dagster.warehouse.ledger import coverage, loads

_ENDED_EARLY = [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
_LOOK_BACK = 200  # runs
# Seconds to wait for the warehouse; a later comparison has the same result. A process that was asked to stop must end.
_PATIENCE, PATIENCE_OF_STOPPED = 2.0, 0.5

Unreported = Mapping[str, Sequence[dg.AssetMaterialization]]


def ended_early(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    """The latest runs that failed or were canceled and were not yet compared with the ledger."""
    runs = instance.get_runs(dg.RunsFilter(statuses=_ENDED_EARLY), limit=_LOOK_BACK)
    return [run for run in runs if run.tags.get(REPORTED_TAG) != run.run_id]


def unreported(instance: dg.DagsterInstance, runs: Sequence[dg.DagsterRun], patience: float = _PATIENCE) -> Unreported:
    """Run id -> the materializations that it landed but did not report. patience: seconds to wait for the warehouse.

    Raises WarehouseError or duckdb.Error if the ledger cannot be read.
    """
    warehouse = WarehouseResource(patience=patience, queue_patience=patience).open()
    if not runs or not warehouse.exists:
        return {}
    with warehouse.reading() as connection:
        landed = loads.landed_by(connection, [run.run_id for run in runs])
        known = {table: coverage.known(connection, table) for table in {each.table for each in landed}}
    missing: dict[str, list[dg.AssetMaterialization]] = {}
    reported = {run_id: _reported(instance, run_id) for run_id in {each.run_id for each in landed}}
    for each in landed:
        key = dg.AssetKey([each.table.schema, each.table.name])
        if (key, each.partition) not in reported[each.run_id]:
            figures = metadata.of_landed(each, known[each.table].get(each.partition, ()))
            found = dg.AssetMaterialization(key, partition=each.partition, metadata=figures)
            missing.setdefault(each.run_id, []).append(found)
    return missing


def report_landed(instance: dg.DagsterInstance, runs: Sequence[dg.DagsterRun], patience: float = _PATIENCE) -> int:
    """Report the landed partitions of these runs to Dagster; returns the number of newly reported partitions.

    If the ledger cannot be read, nothing is reported, and the runs are compared again later.
    """
    try:
        missing = unreported(instance, runs, patience)
    except (WarehouseError, duckdb.Error, stopping.Stopped):
        return 0
    for run in runs:
        check_plans.forget_plans(instance.event_log_storage, run.run_id)
        materializations.report(instance, run, missing.get(run.run_id, ()))
        instance.add_run_tags(run.run_id, {REPORTED_TAG: run.run_id})
    return sum(map(len, missing.values()))


def landed_by(runs: Sequence[dg.DagsterRun]) -> int:
    """The number of partitions that the runs have landed; 0 if the ledger cannot be read."""
    warehouse = WarehouseResource(patience=_PATIENCE, queue_patience=_PATIENCE).open()
    try:
        with warehouse.reading() as connection:
            return len(loads.landed_by(connection, [run.run_id for run in runs]))
    except (WarehouseError, duckdb.Error):
        return 0


def _reported(instance: dg.DagsterInstance, run_id: str) -> set[tuple[dg.AssetKey | None, str | None]]:
    records = instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION).records
    events = [record.event_log_entry.dagster_event for record in records]
    return {(event.asset_key, event.partition) for event in events if event}
