"""Reporting a materialization of a run from outside its step.

Here: `report`. Keep out: which materializations are missing (orchestration/instance/unreported.py).

Why: Dagster's public `report_runless_asset_event` does not name a run, so that the run's page would not show the event.
Fallback: `report_runless_asset_event`.
"""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

try:
    from dagster._core.events import DagsterEventBatchMetadata, StepMaterializationData
except ImportError:
    StepMaterializationData = None  # type: ignore[assignment, misc]


def report(instance: dg.DagsterInstance, run: dg.DagsterRun, found: Sequence[dg.AssetMaterialization]) -> None:
    """Store materializations as events of a run, in one batch."""
    if StepMaterializationData is None:
        for each in found:
            instance.report_runless_asset_event(each)
        return
    for number, each in enumerate(found, 1):
        event = dg.DagsterEvent(
            dg.DagsterEventType.ASSET_MATERIALIZATION.value,
            job_name=run.job_name,
            step_key=each.asset_key.to_python_identifier(),
            event_specific_data=StepMaterializationData(each, []),
        )
        batch = DagsterEventBatchMetadata(f"landed-{run.run_id}", is_end=number == len(found))
        instance.report_dagster_event(event, run.run_id, batch_metadata=batch)
