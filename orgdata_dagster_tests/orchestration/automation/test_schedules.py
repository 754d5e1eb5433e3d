"""The schedules: a tick requests each data set from its first incomplete day of the last week up to today, except for
partitions that a waiting run will pull anyway."""

import os
from datetime import UTC, datetime, timedelta
from functools import cache

import dagster as dg
import pytest
import yaml

from orgdata_dagster import settings
from orgdata_dagster.cli import loaded_project
from orgdata_dagster.orchestration.automation.queued_runs import under_way
from orgdata_dagster.orchestration.tags import PRIORITY_TAG, RANGE_END, RANGE_START
from orgdata_dagster.project.build import build_defs
from orgdata_dagster.sandbox.environment import environment
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster_tests.dagster_internals.for_tests import (
    GrpcServerCodeLocationOrigin,
    RemoteRepositoryOrigin,
    create_run_for_test,
)
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.integration.project import institution_analytics, today
from orgdata_dagster_tests.ticks import tick_schedule

ORIGIN = RemoteRepositoryOrigin(GrpcServerCodeLocationOrigin("localhost", 1), "__repository__").get_job_origin("job")
RETENTION = "retention_due"
QUEUED, NOT_STARTED = dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED


@pytest.fixture(autouse=True)
def configured(new_home: Home) -> None:
    """Vendors without credentials are skipped."""
    new_home.set(**environment("http://127.0.0.1:1"))


@cache
def definitions(_project: str) -> dg.Definitions:
    """What the project in this folder defines, loaded once."""
    return loaded_project.load().defs


def ask(instance: dg.DagsterInstance, at: datetime | None = None) -> list[dg.RunRequest]:
    """What a tick of the schedule of the project's only vendor asks for."""
    defs = definitions(os.environ[settings.PROJECT])
    [schedule] = [each for each in defs.schedules or [] if each.name != RETENTION]
    assert isinstance(schedule, dg.ScheduleDefinition)
    return list(tick_schedule(instance, defs, schedule, at).run_requests or [])


def submit(
    instance: dg.DagsterInstance, request: dg.RunRequest, schedule: str, status: dg.DagsterRunStatus = QUEUED
) -> dg.DagsterRun:
    """Queue a run for it, as the daemon does."""
    return create_run_for_test(
        instance,
        status=status,
        remote_job_origin=ORIGIN,
        asset_selection=frozenset(request.asset_selection or ()),
        tags={**request.tags, "dagster/schedule_name": schedule},
    )


def ranges(home: Home) -> dict[str, tuple[str, str]]:
    """What a tick now asks for: data set -> first and last day."""
    with home.instance() as instance:
        requests = ask(instance)
    assert len({request.run_key for request in requests}) == len(requests)
    return {
        request.asset_selection[0].path[-1]: (request.tags[RANGE_START], request.tags[RANGE_END])
        for request in requests
        if request.asset_selection
    }


def test_a_project_with_days_weeks_and_months_loads(home: Home) -> None:
    """It once failed to load in the UI and the daemon: Dagster requires one kind of partitions in a job or schedule."""
    dg.Definitions.validate_loadable(build_defs())  # as it is shipped
    partitions = {"reports_per_user": "day", "reports_read": "week", "reports_images": "month"}
    tables = [{"name": name, "partitions": kind} for name, kind in partitions.items()]
    reports = {"start_date": today(back=90), "channels": [1], "tables": tables}
    home.write_project(
        institution_analytics=institution_analytics(),
        channel_reports=yaml.safe_dump({"type": "orgdata_dagster.ChannelReports", "attributes": reports}),
    )
    defs = loaded_project.load().defs
    dg.Definitions.validate_loadable(defs)
    assert {schedule.name for schedule in defs.schedules or ()} == {
        RETENTION,
        "institution_analytics_due",
        "channel_reports_due",
        "channel_reports_due_weekly",
        "channel_reports_due_monthly",
    }


@pytest.mark.usefixtures("sandbox")
def test_from_the_first_incomplete_day_to_today(home: Home) -> None:
    assert ranges(home) == dict.fromkeys(("users", "courses", "events"), (today(back=7), today()))
    # all of a week but one day, and then that day
    assert home.materialize("institution_analytics/users", today(back=7), today(back=4)).success
    assert home.materialize("institution_analytics/users", today(back=2), today()).success
    assert ranges(home)["users"] == (today(back=3), today())
    assert ranges(home)["events"] == (today(back=7), today())
    assert home.materialize("institution_analytics/users", today(back=3)).success
    assert ranges(home)["users"] == (today(), today())


def test_a_tick_requests_no_day_before_the_first(home: Home, sandbox: Sandbox) -> None:
    sandbox.institution_analytics.page_rows = 40
    home.write_project(institution_analytics=institution_analytics(start_date=today(back=2)))
    assert ranges(home)["users"] == (today(back=2), today())


def test_a_day_with_a_permanent_gap_is_not_due_for_ever(home: Home, sandbox: Sandbox) -> None:
    home.write_project(institution_analytics=institution_analytics(start_date=today(back=1), api={"page_rows": 40}))
    for number in range(50):
        sandbox.institution_analytics.data_sets["users"].insert(
            {"id": f"tied {number}", "updated_date": f"{today(back=1)}T07:00:00Z"}
        )
    assert home.materialize("institution_analytics/users", today(back=1)).success
    assert home.sql("SELECT count(*) FROM _orgdata.coverage WHERE NOT complete") == [(1,)]
    assert ranges(home)["users"] == (today(), today())


def names(requests: list[dg.RunRequest]) -> set[str]:
    return {key.path[-1] for request in requests for key in request.asset_selection or ()}


def test_waiting_runs_are_not_requested_again(home: Home) -> None:
    """A schedule that was faster than its runs once queued more and more of them."""
    schedule = "institution_analytics_due"
    with home.instance() as instance:
        requested = {name: request for request in ask(instance) for name in names([request])}
        runs = {name: submit(instance, request, schedule) for name, request in requested.items()}
        assert set(runs) == {"users", "courses", "events"}
        assert ask(instance) == []
        # the day after, another day is due
        assert names(ask(instance, datetime.now(UTC) + timedelta(days=1))) == set(runs)
        # what changes while a run is going may have escaped it
        instance.report_run_failed(runs["users"])
        instance.report_dagster_event(
            dg.DagsterEvent(dg.DagsterEventType.RUN_START.value, runs["events"].job_name), run_id=runs["events"].run_id
        )
        assert names(ask(instance)) == {"users", "events"}
        # what others asked for is not what this schedule asks for
        submit(instance, requested["users"], "another_due")
        assert names(ask(instance)) == {"users", "events"}


def test_a_killed_tick_requests_the_runs_again_that_it_had_created(home: Home) -> None:
    """The daemon was killed after creating the runs and before queueing them; nothing else would ever queue them."""
    with home.instance() as instance:
        for request in ask(instance):
            submit(instance, request, "institution_analytics_due", NOT_STARTED)
        assert names(ask(instance)) == {"users", "courses", "events"}
        # sensors give it some minutes
        assert len(under_way(instance)) == 3
        assert under_way(instance, datetime.now(UTC) + timedelta(minutes=6)) == set()


def test_a_waiting_run_of_a_table_without_partitions_is_not_requested_again(home: Home) -> None:
    datasets = [{"name": "contacts", "id": "any"}]
    home.write_project(octolis=yaml.safe_dump({"type": "orgdata_dagster.Octolis", "attributes": {"tables": datasets}}))
    with home.instance() as instance:
        [request] = ask(instance)
        submit(instance, request, "octolis_contacts_due")
        assert under_way(instance) == {dg.AssetKey(["octolis", "contacts"])}  # so that no sensor asks either
        assert ask(instance) == []


def test_a_waiting_snapshot_counts_for_today(home: Home) -> None:
    home.write_project(together=yaml.safe_dump({"type": "orgdata_dagster.Together", "attributes": {}}))
    with home.instance() as instance:
        [request] = ask(instance)
        assert names([request]) == {"users", "pairings", "sessions"}
        submit(instance, request, "together_due")
        assert ask(instance) == []
        [run] = instance.get_runs()
        instance.add_run_tags(run.run_id, {"dagster/partition": today(back=1)})  # midnight has passed
        assert names(ask(instance)) == names([request])


def test_vendors_take_turns_in_the_queue() -> None:
    """The second run of a vendor waits for the first runs of the others: its priority is lower."""
    with dg.instance_for_test() as instance:
        requested = ask(instance)
    assert len(requested) > 1
    assert [int(request.tags.get(PRIORITY_TAG, "0")) for request in requested] == [
        -turn for turn in range(len(requested))
    ]
