"""Orphaned runs: runs whose process died, and the pool slots that they still hold.

Here: deciding whether a run is dead (`dead_runs`), and cleaning up (`reap`). Keep out: limits of pools (pools.py).

If a process is killed with -9, or its machine fails, its run would remain STARTED and its slot would remain taken.
Every run is therefore claimed by its process as soon as it starts (run_claims.py). Its death is found within seconds by
the sensor `orphaned_runs`, a step that waits for a slot, the start of a pull, or `orgdata doctor`.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Collection, Mapping
from datetime import UTC
from typing import Any

import dagster as dg

from orgdata_dagster.orchestration.instance.run_claims import name_of, worker
from orgdata_dagster.orchestration.instance.unreported import ended_early, report_landed
from orgdata_dagster.orchestration.shared_state import shared_state
from orgdata_dagster.orchestration.tags import GRPC_INFO_TAG, PROCESS_TAG
from orgdata_dagster.state import Holder
from orgdata_dagster.state.processes import alive, in_words

_LAUNCHED = (dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING)
_NOT_ENDED = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def reap(instance: dg.DagsterInstance, *, no_daemon: bool = False) -> list[str]:
    """Fail orphaned runs, free slots that they or ended runs hold, and report their landed partitions to Dagster.

    no_daemon: whether no daemon uses the instance, so that runs that were about to be launched are orphaned too.

    Returns the ids of the failed runs.
    """
    with shared_state().lock("reaper"):  # otherwise two processes could both fail the same run
        found = dead_runs(instance) + (_half_launched(instance) if no_daemon else [])
        dead = [run for run in found if _fail(instance, run)]
        for run_id in leaked_slots(instance, dead):
            instance.event_log_storage.free_concurrency_slots_for_run(run_id)
        report_landed(instance, ended_early(instance))
    return [run.run_id for run in dead]


def at_rest(instance: dg.DagsterInstance) -> bool:
    """Whether no run is unfinished and every ended one was compared with the ledger: only a new run changes that."""
    return not instance.get_run_ids(dg.RunsFilter(statuses=_NOT_ENDED), limit=1) and not ended_early(instance)


def dead_runs(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    """The runs that have not ended although their process has."""
    return [run for run in instance.get_runs(dg.RunsFilter(statuses=_NOT_ENDED)) if _is_dead(instance, run)]


def _fail(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Fail a run with the reason; returns False if its process is alive after all."""
    state, claim = shared_state(), name_of(run.run_id)
    found = state.holder(claim)
    if not state.revoke(claim):
        return False
    latest = instance.get_run_by_id(run.run_id)  # its process may have ended the run just before it ended itself
    dead = latest is not None and not latest.is_finished
    if dead:
        instance.report_run_failed(run, _what_happened(run, found))
    state.forget(claim)
    return dead


def _what_happened(run: dg.DagsterRun, holder: Holder | None) -> str:
    if holder is None:
        process = run.tags.get(PROCESS_TAG)
        return f"The {in_words(process) if process else 'process'} that worked on this run is gone."
    seen = f" It was last seen at {holder.seen.astimezone(UTC):%H:%M:%S} UTC." if holder.seen else ""
    since = f"{holder.since.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    return f"The {in_words(holder.process)}, which worked on this run since {since}, is gone.{seen}"


def _half_launched(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    """The runs that a daemon was about to launch when it was killed. No daemon launches them again."""
    runs = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTING]))
    return [run for run in runs if GRPC_INFO_TAG not in run.tags and _process(instance, run) is None]


def leaked_slots(instance: dg.DagsterInstance, dead: Collection[dg.DagsterRun] = ()) -> set[str]:
    """The ids of runs that hold or wait for slots although they have ended or are in `dead`."""
    storage = instance.event_log_storage
    holders: set[str] = set()
    for pool in storage.get_concurrency_keys():
        info = storage.get_concurrency_info(pool)
        holders |= {slot.run_id for slot in info.claimed_slots} | {step.run_id for step in info.pending_steps}
    # query this after the holders, so that a run that starts in between is not among the holders
    running = instance.get_runs(dg.RunsFilter(statuses=_NOT_ENDED))
    return holders - ({run.run_id for run in running} - {run.run_id for run in dead})


def _is_dead(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Whether the run's process is dead or, if it is unknown, the code server that launched the run."""
    if (found := worker(run.run_id)) is not None:
        return not found.alive
    if process := _process(instance, run):
        return not alive(process)
    launched = run.tags.get(GRPC_INFO_TAG)
    return launched is not None and run.status in _LAUNCHED and not _answers(json.loads(launched))


def _process(instance: dg.DagsterInstance, run: dg.DagsterRun) -> str | None:
    """The process that works on the run. A retry inherits the tags of the killed run, whose process is ignored."""
    parent = instance.get_run_by_id(run.parent_run_id) if run.parent_run_id else None
    process = run.tags.get(PROCESS_TAG)
    return None if parent and process == parent.tags.get(PROCESS_TAG) else process


def _answers(server: Mapping[str, Any]) -> bool:
    """Whether a code server still listens at its address."""
    family, address = (
        (socket.AF_UNIX, server["socket"])
        if server.get("socket")
        else (socket.AF_INET, (server.get("host") or "localhost", int(server["port"])))
    )
    with socket.socket(family) as connection:
        connection.settimeout(1)
        try:
            connection.connect(address)
        except OSError:
            return False
    return True
