"""Pools, the runs and slots that killed processes leave, and the identity of a process."""

import multiprocessing
import os
import socket
import time
from functools import cache, partial

import dagster as dg
import pytest

from orgdata_dagster.orchestration.automation import orphaned_runs_sensor as sensors
from orgdata_dagster.orchestration.instance import orphaned_runs, pools
from orgdata_dagster.orchestration.instance.orphaned_runs import reap
from orgdata_dagster.orchestration.instance.run_claims import claim
from orgdata_dagster.orchestration.shared_state import shared_state
from orgdata_dagster.orchestration.tags import PROCESS_TAG
from orgdata_dagster.state import processes
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.waiting import wait_until

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
        assert pools.apply_limits(instance, home.loaded().resources) == {POOL: 2}
        before = instance.event_log_storage.get_concurrency_info(POOL)
        assert (before.slot_count, before.using_default_limit) == (2, False)
        pools.apply_limits(instance, home.loaded().resources)
        assert instance.event_log_storage.get_concurrency_info(POOL) == before
        assert pools.apply_limits(instance, {"warehouse": object()}) == {}


def test_runs_of_dead_processes_fail_and_their_slots_are_freed(home: Home, ended: str) -> None:
    with home.instance() as instance:
        pools.apply_limits(instance, home.loaded().resources)
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


def work_on(home: Home, run_id: str, url: str) -> None:
    os.environ["ORGDATA_STATE"] = url
    with home.instance() as instance:
        run = instance.get_run_by_id(run_id)
        assert run is not None
        claim(instance, run)
        (home.folder / "working").touch()
        time.sleep(60)


@pytest.mark.parametrize("kept", ["files", "postgres"])
def test_a_run_whose_process_was_killed_fails_with_the_reason(
    home: Home, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, kept: str
) -> None:
    """However it was launched: the claim shows it, on PostgreSQL for all machines."""
    url = request.getfixturevalue("postgres_database") if kept == "postgres" else ""
    if url:
        from orgdata_dagster.state import postgres

        monkeypatch.setattr(postgres, "postgres_state", cache(partial(postgres.PostgresState, beat=0.1, grace=0.5)))
    monkeypatch.setenv("ORGDATA_STATE", url)
    with home.instance() as instance:
        pools.apply_limits(instance, home.loaded().resources)
        run_id = started_run(instance, {})
        process = multiprocessing.get_context("fork").Process(target=work_on, args=(home, run_id, url), daemon=True)
        process.start()
        wait_until((home.folder / "working").exists)
        assert reap(instance) == []
        # as if the run were on another machine, whose processes cannot be checked here
        instance.add_run_tags(run_id, {PROCESS_TAG: "elsewhere:1:1"})
        process.kill()
        process.join()
        wait_until(lambda: reap(instance), "the end of the run")
        run = instance.get_run_by_id(run_id)
        assert run is not None
        assert run.status == dg.DagsterRunStatus.FAILURE
        assert holders(instance) == set()
        reasons = [record.event_log_entry.message for record in instance.get_records_for_run(run_id).records]
        assert any(f"The process {process.pid} on {socket.gethostname()}, which worked on" in text for text in reasons)
        assert shared_state().holder(f"runs/{run_id}") is None


def test_a_run_that_ended_just_before_its_process_has_not_failed(home: Home, ended: str) -> None:
    """It used to be failed, and repeated, if it ended while a clean-up was looking at the other runs."""
    with home.instance() as instance:
        run_id = started_run(instance, {PROCESS_TAG: ended})
        [seen] = orphaned_runs.dead_runs(instance)
        success = dg.DagsterEvent(dg.DagsterEventType.RUN_SUCCESS.value, any_job.name)
        instance.report_dagster_event(success, run_id=run_id)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(orphaned_runs, "dead_runs", lambda _: [seen])
            assert reap(instance) == []
        run = instance.get_run_by_id(run_id)
        assert run is not None
        assert run.status == dg.DagsterRunStatus.SUCCESS


def test_the_sensor_of_an_idle_project_only_looks_for_new_runs(
    home: Home, ended: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, cursor = list[str](), None
    monkeypatch.setattr(sensors, "reap", lambda instance: calls.append("reap") or reap(instance))

    def tick(instance: dg.DagsterInstance) -> int:
        nonlocal cursor
        calls.clear()
        with dg.build_sensor_context(instance, cursor=cursor) as context:
            sensors.orphaned_runs_sensor(context)
            cursor = context.cursor
        return len(calls)

    with home.instance() as instance:
        pools.apply_limits(instance, home.loaded().resources)
        assert [tick(instance), tick(instance)] == [1, 0]
        living = started_run(instance, {PROCESS_TAG: processes.identity()})
        assert [tick(instance), tick(instance)] == [1, 1]
        dead = started_run(instance, {PROCESS_TAG: ended})
        assert tick(instance) == 1
        assert holders(instance) == {living}
        run = instance.get_run_by_id(living)
        assert run is not None
        instance.report_run_canceled(run)
        assert [tick(instance), tick(instance)] == [1, 0]
        assert holders(instance) == set()
        assert {run.run_id for run in orphaned_runs.ended_early(instance)} == set(), dead


def test_the_retry_of_a_killed_run_does_not_count_as_killed(home: Home, ended: str) -> None:
    """Dagster copies all tags of the previous run to its retry, including the dead process."""
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


def test_slots_of_ended_runs_are_freed(home: Home) -> None:
    with home.instance() as instance:
        pools.apply_limits(instance, home.loaded().resources)
        run_id = started_run(instance, {})
        run = instance.get_run_by_id(run_id)
        assert run is not None
        instance.report_run_failed(run)
        assert holders(instance) == {run_id}
        assert reap(instance) == []
        assert holders(instance) == set()


def test_a_process_is_distinguished_from_a_later_one_with_the_same_number(ended: str) -> None:
    assert processes.alive(processes.identity())
    assert not processes.alive(ended)
    host, pid, start = processes.identity().rsplit(":", 2)
    assert not processes.alive(f"{host}:{pid}:{int(start) - 1}")  # the number was used again
    assert processes.alive(f"elsewhere:{pid}:{start}")  # processes of another machine cannot be checked


def test_a_zombie_process_counts_as_ended() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    name = processes.identity(pid)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # now it is a zombie
    assert not processes.alive(name)
    os.waitpid(pid, 0)
