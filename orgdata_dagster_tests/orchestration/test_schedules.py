"""The schedule: at a tick, each data set from its first incomplete day of the last week up to today."""

from datetime import UTC, datetime

import dagster as dg
import pytest

from orgdata_dagster.cli import catalog
from orgdata_dagster.orchestration.resources import WarehouseResource
from orgdata_dagster.orchestration.schedules import RANGE_END, RANGE_START
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.integration.project import institution_analytics, today


def ranges(home: Home) -> dict[str, tuple[str, str]]:
    """What a tick now asks for: data set -> first and last day."""
    defs = catalog.load().defs
    [schedule] = defs.schedules or []
    assert isinstance(schedule, dg.ScheduleDefinition)
    with (
        home.instance() as instance,
        dg.build_schedule_context(
            instance,
            scheduled_execution_time=datetime.now(UTC),
            resources={"warehouse": WarehouseResource()},
            repository_def=defs.get_repository_def(),
        ) as context,
    ):
        requests = schedule.evaluate_tick(context).run_requests or []
    assert len({request.run_key for request in requests}) == len(requests)
    return {
        request.asset_selection[0].path[-1]: (request.tags[RANGE_START], request.tags[RANGE_END])
        for request in requests
        if request.asset_selection
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


def test_a_tick_asks_for_no_day_before_the_first(home: Home, sandbox: Sandbox) -> None:
    sandbox.institution_analytics.page_rows = 40
    home.write_project(institution_analytics=institution_analytics(start_date=today(back=2)))
    assert ranges(home)["users"] == (today(back=2), today())


def test_a_day_with_a_gap_that_nobody_can_fill_is_not_due_for_ever(home: Home, sandbox: Sandbox) -> None:
    home.write_project(institution_analytics=institution_analytics(start_date=today(back=1), api={"page_rows": 40}))
    for number in range(50):
        sandbox.institution_analytics.data_sets["users"].insert(
            {"id": f"tied {number}", "updated_date": f"{today(back=1)}T07:00:00Z"}
        )
    assert home.materialize("institution_analytics/users", today(back=1)).success
    assert home.sql("SELECT count(*) FROM _orgdata.coverage WHERE NOT complete") == [(1,)]
    assert ranges(home)["users"] == (today(), today())
