"""A RestApi vendor in a project is a vendor like the others: plan, doctor, schedules, pool; a broken one is alone."""

from __future__ import annotations

from datetime import timedelta

import dagster as dg
import pytest

from orgdata_dagster.cli import loaded_project
from orgdata_dagster.cli.doctor import vendors
from orgdata_dagster.cli.errors import UserError
from orgdata_dagster.cli.plan import plan
from orgdata_dagster.cli.pull import day
from orgdata_dagster.orchestration.automation.catch_up import Policy, catch_up_sensor
from orgdata_dagster.orchestration.automation.gaps import covered
from orgdata_dagster.orchestration.instance.pools import limits_of
from orgdata_dagster.orchestration.resources import VendorResource, WarehouseResource
from orgdata_dagster.orchestration.tags import RANGE_START
from orgdata_dagster.overview.checks import failing
from orgdata_dagster.overview.table_statuses import table_statuses
from orgdata_dagster.project.build import build_defs
from orgdata_dagster.sandbox.limits import UNLIMITED
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster.sandbox.tracker import TOKEN, Tracker, demo
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.integration.project import institution_analytics, today
from orgdata_dagster_tests.ticks import tick_schedule, tick_sensor
from orgdata_dagster_tests.vendors.rest.shapes import HEAD, ISSUES


def tracker(cron: str = "25 */4 * * *") -> str:
    return HEAD.replace("START", today(back=3)).replace("cron: null", f'cron: "{cron}"') + ISSUES


def test_it_is_planned_examined_scheduled_and_limited_like_any_other(home: Home) -> None:
    with Sandbox(demo(days=2, rows=30, limits=UNLIMITED)) as sandbox:
        home.set(TRACKER_BASE_URL=f"{sandbox.url}/tracker", TRACKER_TOKEN=TOKEN)
        home.write_project(tracker=tracker())
        loaded = loaded_project.load()
        assert [key.to_user_string() for key in loaded.keys] == ["tracker/issues", "tracker/projects"]
        made = plan(loaded, loaded.keys, day(today(back=2), "--from"), day(None, "--to"))
        assert {each.asset: each.requests for each in made.assets} == {"tracker/issues": 3, "tracker/projects": 1}
        assert [each.what for each in vendors.findings(loaded, ask=True) if not each.good] == []
        assert limits_of(loaded.resources) == {"tracker_api": 4}
        loaded.check_loadable()
        schedules = {each.name: each for each in loaded.defs.schedules or ()}
        assert schedules.keys() >= {"tracker_due", "tracker_projects_due"}
        assert home.materialize("tracker/projects").success
        for one in (today(back=3), today()):
            assert home.materialize("tracker/issues", one, one).success
        tracked = loaded.resources["tracker"]
        assert isinstance(tracked, VendorResource)
        sensor = catch_up_sensor([tracked], Policy(pause=timedelta(minutes=10), tries=2, batch=9, runs=1))
        with home.instance() as instance:
            due = tick_schedule(instance, loaded.defs, schedules["tracker_due"]).run_requests
            missing = tick_sensor(instance, loaded.defs, sensor).run_requests
        for requested in (due, missing):
            days = {request.tags[RANGE_START] for request in requested or ()}
            assert today(back=2) in days, (due, missing)
        assert home.materialize("tracker/issues", today(back=2), today(back=1)).success
        known = covered(WarehouseResource(), loaded.keys)
        assert all(part.complete for parts in known.values() for each in parts.values() for part in each)
        statuses = {str(each.table): each for each in table_statuses(loaded.outline())}
        assert statuses["tracker.issues"].rows == len(sandbox.vendor(Tracker).lists["issues"].all())
        assert failing(loaded.outline()) == []
        shown = build_defs(for_ui=True).resolve_asset_graph().get(dg.AssetKey(["tracker", "issues"]))
        assert shown.group_name == "tracker"
        assert {key.name for key in shown.check_keys} >= {"coverage", "keys", "row_count", "schema", "volume"}


def test_a_broken_one_leaves_the_others_up_and_names_file_line_and_field(home: Home) -> None:
    broken = tracker().replace("type: cursor,", "type: curser,")
    root = home.write_project(tracker=broken, institution_analytics=institution_analytics())
    defs = build_defs(project=root, for_ui=True)
    keys = {key.to_user_string() for key in defs.resolve_asset_graph().get_all_asset_keys()}
    assert "institution_analytics/users" in keys
    assert "tracker/not_loaded" in keys
    with pytest.raises(UserError) as told:
        loaded_project.load()
    assert "tracker/defs.yaml:" in str(told.value)
    assert "paginator" in str(told.value)


def test_a_missing_variable_is_named_by_doctor(home: Home) -> None:
    home.set(TRACKER_BASE_URL="http://127.0.0.1:9", TRACKER_TOKEN="")
    home.write_project(tracker=tracker())
    told = " ".join(each.what for each in vendors.findings(loaded_project.load(), ask=False))
    assert "TRACKER_TOKEN" in told
