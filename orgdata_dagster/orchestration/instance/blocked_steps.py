"""The actions of a run that begins, and of a step that waits for a slot of its pool.

Here: claiming the run; at each attempt to get a slot, reporting its holders and checking that they are alive.
Keep out: the wait itself (dagster_internals/pool_waits.py), limits (pools.py).
"""

from __future__ import annotations

import dagster as dg

from orgdata_dagster.dagster_internals import check_plans, pool_waits
from orgdata_dagster.orchestration.assets.progress import Waiting, report
from orgdata_dagster.orchestration.instance.orphaned_runs import reap
from orgdata_dagster.orchestration.instance.run_claims import claim
from orgdata_dagster.orchestration.tags import PROCESS_TAG
from orgdata_dagster.state import stopping


def install() -> None:
    """Use these actions for the steps of this process."""
    pool_waits.install(on_begin=on_begin, on_blocked=on_blocked, stopping=stopping.stopping)


def on_begin(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    """Claim the run. From now on, a result of a check replaces its plans (here, because the storage is imported)."""
    claim(instance, run)
    check_plans.install()


def on_blocked(instance: dg.DagsterInstance, run: dg.DagsterRun, pool: str) -> bool:
    """Free the slots of orphaned runs; returns whether there were any. Otherwise report which runs hold the slots."""
    if reap(instance):
        return True
    holders = {slot.run_id for slot in instance.event_log_storage.get_concurrency_info(pool).claimed_slots}
    runs = [found for run_id in sorted(holders) if (found := instance.get_run_by_id(run_id))]
    holding = " and ".join(map(_named, runs)) or "runs that have waited longer"
    for key in run.asset_selection or ():
        report(Waiting(key.to_user_string(), f"waiting for a slot of the pool {pool}, held by {holding}"))
    return False


def _named(run: dg.DagsterRun) -> str:
    assets = ", ".join(sorted(key.to_user_string() for key in run.asset_selection or ())) or run.job_name
    process = run.tags.get(PROCESS_TAG, "").split(":")
    where = f", process {process[-2]} on {process[0]}" if len(process) >= 3 else ""
    return f"run {run.run_id[:8]} ({assets}{where})"
