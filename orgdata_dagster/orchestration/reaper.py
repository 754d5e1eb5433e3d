"""Cleaning up after processes that were killed: runs that nobody works on, and the pool slots they hold.

Here: `reap`. Keep out: limits of pools (pools.py).

A run process that dies by kill -9 leaves its run STARTED and its slot taken for ever: nobody is left to say otherwise.
"""

from __future__ import annotations

import dagster as dg

from orgdata_dagster.orchestration.processes import alive

PROCESS_TAG = "orgdata/process"
_NOT_ENDED = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def reap(instance: dg.DagsterInstance) -> list[str]:
    """Fail the runs of ours whose process is gone, free what they and ended runs hold; returns the failed runs' ids."""
    failed = []
    running = instance.get_runs(dg.RunsFilter(statuses=_NOT_ENDED))
    for run in running:
        process = run.tags.get(PROCESS_TAG)
        if process is not None and not alive(process):
            instance.report_run_failed(run, f"The process that worked on this run ({process}) is gone.")
            failed.append(run.run_id)
    going = {run.run_id for run in running} - set(failed)
    storage = instance.event_log_storage
    for pool in storage.get_concurrency_keys():
        info = storage.get_concurrency_info(pool)
        holders = {slot.run_id for slot in info.claimed_slots} | {step.run_id for step in info.pending_steps}
        for run_id in holders - going:
            storage.free_concurrency_slots_for_run(run_id)
    return failed
