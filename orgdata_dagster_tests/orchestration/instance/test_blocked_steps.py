"""A step that waits for a slot of its pool notices a killed holder, sleeps, logs why it waits, and can be stopped."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import dagster as dg
import pytest

from orgdata_dagster.orchestration.assets.progress import ProgressReport, Waiting, watch
from orgdata_dagster.orchestration.instance import blocked_steps
from orgdata_dagster.orchestration.tags import PROCESS_TAG
from orgdata_dagster.state import processes, stopping
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.waiting import wait_until

POOL = "any_api"


@dg.asset(pool=POOL)
def wanted() -> None:
    """What waits for the slot."""


JOB = dg.Definitions(assets=[wanted]).resolve_implicit_global_asset_job_def()


@contextmanager
def held_by_another_process(instance: dg.DagsterInstance) -> Iterator[subprocess.Popen[bytes]]:
    """The pool's only slot in the hands of a run, whose process can be killed."""
    blocked_steps.install()
    instance.event_log_storage.set_concurrency_slots(POOL, 1)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as holder:
        run = instance.create_run_for_job(JOB, tags={PROCESS_TAG: processes.identity(holder.pid)})
        start = dg.DagsterEvent(dg.DagsterEventType.RUN_START.value, JOB.name)
        instance.report_dagster_event(start, run_id=run.run_id)
        instance.event_log_storage.claim_concurrency_slot(POOL, run.run_id, "step")
        try:
            yield holder
        finally:
            holder.kill()


def run(instance: dg.DagsterInstance, reports: list[ProgressReport]) -> dg.ExecuteInProcessResult:
    with watch(reports.append):
        return JOB.execute_in_process(instance=instance, asset_selection=[wanted.key], raise_on_error=False)


def when_it_waits(reports: list[ProgressReport], work: Callable[[], object], seconds: float = 0) -> None:
    """Do this so many seconds after the step has begun to wait, which a busy machine reaches late."""

    def later() -> None:
        wait_until(lambda: any(isinstance(each, Waiting) for each in list(reports)), "a waiting step")
        time.sleep(seconds)
        work()

    threading.Thread(target=later, daemon=True).start()


def test_a_killed_holder_is_noticed_and_waiting_uses_no_cpu(home: Home) -> None:
    """It once used 93 % of a core, for ever."""
    reports: list[ProgressReport] = []
    with home.instance() as instance, held_by_another_process(instance) as holder:
        when_it_waits(reports, holder.kill, seconds=3)
        began, used = time.monotonic(), time.process_time()
        result = run(instance, reports)
        took, cpu = time.monotonic() - began, time.process_time() - used
        assert result.success
        assert took > 3
        assert cpu < took / 3  # with what the run itself costs
        statuses = [each.status for each in instance.get_runs()]  # newest first
        assert statuses == [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
    waits = [each for each in reports if isinstance(each, Waiting)]
    assert waits[0].asset == "wanted"
    assert f"a slot of the pool {POOL}, held by run" in waits[0].what
    assert f"process {holder.pid} on" in waits[0].what


@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT", "stop()"])
def test_a_waiting_step_can_be_stopped(home: Home, how: str) -> None:
    """Dagster captures signals until a step begins; this step would never have begun."""
    reports: list[ProgressReport] = []
    with home.instance() as instance, held_by_another_process(instance):
        stop = stopping.stop if how == "stop()" else lambda: os.kill(os.getpid(), getattr(signal, how))
        when_it_waits(reports, stop)
        began = time.monotonic()
        try:
            result = run(instance, reports)
        finally:
            stopping.resume()
        assert time.monotonic() - began < 60  # the slot is never free
        assert not result.success
        newest = instance.get_runs(limit=1)[0]
        assert newest.status == dg.DagsterRunStatus.FAILURE
        pool = instance.event_log_storage.get_concurrency_info(POOL)
        assert (pool.active_slot_count, pool.pending_step_count) == (1, 0)  # it does not stand in the queue any more
