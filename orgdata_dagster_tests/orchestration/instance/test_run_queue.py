"""In the daemon's queue, a backfill of one vendor does not make the others wait."""

from __future__ import annotations

import dagster as dg
import pytest

from orgdata_dagster.orchestration.instance.run_queue import FairQueue
from orgdata_dagster.orchestration.tags import PRIORITY_TAG, VENDOR_TAG
from orgdata_dagster_tests.dagster_internals.for_tests import (
    RegisteredCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
    create_run_for_test,
)
from orgdata_dagster_tests.integration.home import Home


def submitted(instance: dg.DagsterInstance, vendor: str, **tags: str) -> str:
    """Queue a run of a vendor, as the UI, the backfill daemon and schedules do; returns its id."""
    job = RemoteJobOrigin(RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("mine"), "mine"), "job")
    assets = frozenset([dg.AssetKey([vendor, "a"])])
    run = create_run_for_test(instance, asset_selection=assets, tags=tags, remote_job_origin=job)
    instance.run_coordinator.submit_run(dg.SubmitRunContext(run, workspace=None))  # type: ignore[arg-type]
    return run.run_id


def order(instance: dg.DagsterInstance) -> list[str]:
    """The vendors of the queued runs in the order in which Dagster starts them."""
    runs = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED]))[::-1]  # the oldest first
    return [run.tags[VENDOR_TAG] for run in sorted(runs, key=lambda run: -int(run.tags.get(PRIORITY_TAG, "0")))]


def test_vendors_take_turns_in_the_queue(home: Home) -> None:
    with home.instance() as instance:
        assert isinstance(instance.run_coordinator, FairQueue)
        assert instance.run_coordinator.dequeue_use_threads
        for _ in range(3):
            submitted(instance, "octolis")
        for _ in range(2):
            submitted(instance, "together")
        assert order(instance) == ["octolis", "together", "octolis", "together", "octolis"]
        urgent = submitted(instance, "octolis", **{PRIORITY_TAG: "5"})
        run = instance.get_run_by_id(urgent)
        assert run is not None
        assert run.tags[PRIORITY_TAG] == "5", "a priority that somebody has set stays"
        assert order(instance)[0] == "octolis"


def test_a_backlog_that_is_half_done_goes_on_beside_new_runs_of_another_vendor(home: Home) -> None:
    with home.instance() as instance:
        backlog = [submitted(instance, "octolis") for _ in range(6)]
        for run_id in backlog[:3]:
            instance.delete_run(run_id)  # as if it had started
        for _ in range(3):
            submitted(instance, "together")
        assert order(instance) == ["octolis", "together", "octolis", "together", "octolis", "together"]


def test_a_retry_gets_a_turn_of_its_own(home: Home) -> None:
    with home.instance() as instance:
        runs = [instance.get_run_by_id(submitted(instance, "octolis")) for _ in range(3)]
        assert runs[2] is not None
        inherited = dict(runs[2].tags)
        for run in runs:
            assert run is not None
            instance.delete_run(run.run_id)
        retried = instance.get_run_by_id(submitted(instance, "octolis", **inherited))
        assert retried is not None
        assert retried.tags[PRIORITY_TAG] == "0"


@pytest.mark.parametrize(
    "own",
    ["run_queue: {max_concurrent_runs: 3}\n", "run_coordinator: {module: dagster, class: QueuedRunCoordinator}\n"],
)
def test_a_queue_that_the_project_configures_is_not_changed(home: Home, own: str) -> None:
    folder = home.write_project()
    (folder / "dagster.yaml").write_text(own)
    with home.instance() as instance:
        assert not isinstance(instance.run_coordinator, FairQueue)
