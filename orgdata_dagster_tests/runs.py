"""Runs that exist only as records, for tests of code that looks at runs.

Here: `created` and `ended`. Keep out: real runs (dg.materialize, integration/home.py).
"""

import dagster as dg


def created(instance: dg.DagsterInstance, job: dg.JobDefinition, *keys: dg.AssetKey) -> str:
    """A run of these assets that has not started; returns its id."""
    part = job.get_subset(asset_selection=set(keys))
    return instance.create_run_for_job(part, asset_selection=frozenset(keys)).run_id


def ended(instance: dg.DagsterInstance, job: dg.JobDefinition, run_id: str) -> None:
    """The run starts and succeeds."""
    for kind in (dg.DagsterEventType.RUN_START, dg.DagsterEventType.RUN_SUCCESS):
        instance.report_dagster_event(dg.DagsterEvent(event_type_value=kind.value, job_name=job.name), run_id)
