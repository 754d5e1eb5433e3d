"""Pools and what killed processes leave in them; the name of a process."""

import multiprocessing
import os

import dagster as dg
import pytest

from orgdata_dagster.cli import catalog
from orgdata_dagster.orchestration.instance import pools
from orgdata_dagster.orchestration.instance.orphaned_runs import claim, reap
from orgdata_dagster.orchestration.tags import PROCESS_TAG
from orgdata_dagster.state import processes
from orgdata_dagster_tests.integration.home import Home

POOL = "institution_analytics_api"


@pytest.fixture
def ended() -> str:
    """The identity of a process that has ended."""
    process = multiprocessing.get_context("fork").Process(target=os.getpid)
    process.start()
    assert process.pid is not None
    name = processes.identity(process.pid)
    process.join()
    return name


@dg.op
def nothing() -> None:
    """A step, so that there is a job."""


@dg.job
def any_job() -> None:
    nothing()


def started_run(instance: dg.DagsterInstance, tags: dict[str, str]) -> str:
    """A run that says it has started, and holds a slot of the pool."""
    run = instance.create_run_for_job(any_job, tags=tags)
    instance.report_dagster_event(dg.DagsterEvent(dg.DagsterEventType.RUN_START.value, any_job.name), run_id=run.run_id)
    instance.event_log_storage.claim_concurrency_slot(POOL, run.run_id, "step")
    return run.run_id


def holders(instance: dg.DagsterInstance) -> set[str]:
    info = instance.event_log_storage.get_concurrency_info(POOL)
    return {slot.run_id for slot in info.claimed_slots} | {step.run_id for step in info.pending_steps}


def test_the_pools_limit_follows_the_yaml(home: Home) -> None:
    with home.instance() as instance:
        assert pools.apply_limits(instance, catalog.load().resources) == {POOL: 2}
        before = instance.event_log_storage.get_concurrency_info(POOL)
        assert (before.slot_count, before.using_default_limit) == (2, False)
        pools.apply_limits(instance, catalog.load().resources)
        assert instance.event_log_storage.get_concurrency_info(POOL) == before
        assert pools.apply_limits(instance, {"warehouse": object()}) == {}


def test_runs_of_dead_processes_fail_and_their_slots_are_free(home: Home, ended: str) -> None:
    with home.instance() as instance:
        pools.apply_limits(instance, catalog.load().resources)
        dead = started_run(instance, {PROCESS_TAG: ended})
        living = started_run(instance, {PROCESS_TAG: processes.identity()})
        foreign = started_run(instance, {})  # of the UI's launcher: its run monitoring looks after it
        assert holders(instance) == {dead, living, foreign}
        assert reap(instance) == [dead]
        assert holders(instance) == {living, foreign}
        statuses = {run.run_id: run.status for run in instance.get_runs()}
        assert statuses == {
            dead: dg.DagsterRunStatus.FAILURE,
            living: dg.DagsterRunStatus.STARTED,
            foreign: dg.DagsterRunStatus.STARTED,
        }
        assert reap(instance) == []


def test_the_retry_of_a_killed_run_is_not_taken_for_killed(home: Home, ended: str) -> None:
    """Dagster gives a retry all tags of the run before it, the dead process among them."""
    with home.instance() as instance:
        killed = instance.create_run_for_job(any_job, tags={PROCESS_TAG: ended})
        assert reap(instance) == [killed.run_id]
        retry = instance.create_run_for_job(
            any_job, tags={PROCESS_TAG: ended}, parent_run_id=killed.run_id, root_run_id=killed.run_id
        )
        assert reap(instance) == []
        claim(instance, retry)
        begun = instance.get_run_by_id(retry.run_id)
        assert begun is not None
        assert begun.tags[PROCESS_TAG] == processes.identity()
        instance.add_run_tags(retry.run_id, {PROCESS_TAG: f"{ended}9"})  # and killed in its turn
        assert reap(instance) == [retry.run_id]


def test_slots_of_runs_that_have_ended_are_freed(home: Home) -> None:
    with home.instance() as instance:
        pools.apply_limits(instance, catalog.load().resources)
        run_id = started_run(instance, {})
        run = instance.get_run_by_id(run_id)
        assert run is not None
        instance.report_run_failed(run)
        assert holders(instance) == {run_id}
        assert reap(instance) == []
        assert holders(instance) == set()


def test_a_process_is_told_from_a_later_one_of_its_number(ended: str) -> None:
    assert processes.alive(processes.identity())
    assert not processes.alive(ended)
    host, pid, start = processes.identity().rsplit(":", 2)
    assert not processes.alive(f"{host}:{pid}:{int(start) - 1}")  # the number was used again
    assert processes.alive(f"elsewhere:{pid}:{start}")  # of another machine nobody knows


def test_a_process_that_nobody_has_waited_for_runs_no_more() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    name = processes.identity(pid)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # now it is a zombie
    assert not processes.alive(name)
    os.waitpid(pid, 0)
