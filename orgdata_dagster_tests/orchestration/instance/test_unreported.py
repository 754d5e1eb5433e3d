"""Loaded partitions that were not reported to Dagster are found in the ledger and reported once, for the right run."""

from collections.abc import Iterator

import dagster as dg
import pytest

from orgdata_dagster.orchestration.instance.orphaned_runs import reap
from orgdata_dagster.orchestration.instance.unreported import ended_early, landed_by, report_landed, unreported
from orgdata_dagster.orchestration.tags import PROCESS_TAG, REPORTED_TAG
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.integration.project import today

KEY = dg.AssetKey(["institution_analytics", "users"])


def days() -> set[str]:
    return {today(back=2), today(back=1)}


@dg.op
def nothing() -> None:
    """A step, so that there is a job."""


@dg.job
def any_job() -> None:
    nothing()


@pytest.fixture
def killed(home: Home, sandbox: Sandbox) -> Iterator[tuple[dg.DagsterInstance, dg.DagsterRun]]:
    """A run that landed two days and was killed before it could say so."""
    assert sandbox.url
    assert home.materialize(KEY.to_user_string(), min(days()), max(days())).success
    with home.instance() as instance:
        run = instance.create_run_for_job(any_job, tags={PROCESS_TAG: "", REPORTED_TAG: "another"})
        instance.report_run_failed(run)
        with home.warehouse.writing() as connection:
            connection.execute("UPDATE _orgdata.loads SET run_id = ?", [run.run_id])
        instance.wipe_assets([KEY])
        yield instance, instance.get_runs(limit=1)[0]


def test_partitions_without_an_event_are_reported_once(killed: tuple[dg.DagsterInstance, dg.DagsterRun]) -> None:
    instance, run = killed
    assert instance.get_materialized_partitions(KEY) == set()
    assert [one.run_id for one in ended_early(instance)] == [run.run_id]  # a retry's tag is the run's before it
    assert landed_by([run]) == 2
    found = unreported(instance, [run])[run.run_id]
    assert {one.partition for one in found} == days()
    assert report_landed(instance, [run]) == 2
    assert instance.get_materialized_partitions(KEY) == days()
    shown = instance.get_latest_materialization_event(KEY)
    assert shown is not None
    assert shown.run_id == run.run_id
    assert "from the ledger" in str(shown.asset_materialization and shown.asset_materialization.metadata["reported"])
    assert unreported(instance, [run]) == {}
    assert ended_early(instance) == []


def test_cleaning_up_killed_runs_reports_their_partitions(killed: tuple[dg.DagsterInstance, dg.DagsterRun]) -> None:
    instance, _ = killed
    reap(instance)
    assert instance.get_materialized_partitions(KEY) == days()


def test_a_warehouse_that_cannot_be_read_is_compared_later(
    killed: tuple[dg.DagsterInstance, dg.DagsterRun], home: Home
) -> None:
    instance, run = killed
    whole = home.folder / "warehouse.duckdb"
    whole.rename(whole.with_suffix(".away"))
    whole.write_bytes(b"no database")
    assert report_landed(instance, [run]) == 0
    assert [one.run_id for one in ended_early(instance)] == [run.run_id]
    whole.with_suffix(".away").rename(whole)
    assert report_landed(instance, ended_early(instance)) == 2


def test_a_run_that_was_being_launched_only_fails_without_a_daemon(home: Home) -> None:
    with home.instance() as instance:
        run = instance.create_run_for_job(any_job, status=dg.DagsterRunStatus.STARTING)
        assert reap(instance) == []
        assert reap(instance, no_daemon=True) == [run.run_id]
