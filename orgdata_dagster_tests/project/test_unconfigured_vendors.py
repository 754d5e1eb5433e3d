"""A vendor without credentials is off: it is named, shown and skipped. The others work."""

from __future__ import annotations

from datetime import UTC, datetime

import dagster as dg
import pytest

from orgdata_dagster.project.build import build_defs
from orgdata_dagster.project.unconfigured_vendors import TAG
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster.vendors.together.resource import TogetherResource
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.integration.project import institution_analytics

TOLD = "together is not configured: set TOGETHER_ORGANIZATION_ID, TOGETHER_CLIENT_ID, TOGETHER_API_KEY"
OWN = """
import dagster as dg


@dg.asset(deps=[["together", "users"]])
def of_users() -> None:
    raise dg.Failure("there is no table together.users")
"""


@pytest.fixture
def both(home: Home, sandbox: Sandbox) -> Home:
    """A project with two vendors, of which one has credentials."""
    assert sandbox.url
    tables = [{"name": "users", "key": ["id"]}]
    folder = home.write_project(
        institution_analytics=institution_analytics(tables=tables), together="type: orgdata_dagster.Together\n"
    )
    [defs] = folder.glob("*/defs")
    (defs / "own.py").write_text(OWN)
    home.set(**dict.fromkeys(TogetherResource.environment_of({}).values(), ""))
    return home


def test_a_pull_of_everything_skips_it_and_a_pull_of_it_is_one_error(both: Home) -> None:
    done = both.orgdata("pull")
    assert done.status == 0, done.everything
    assert done.out.count(TOLD) == 1
    assert "institution_analytics/users: done" in done.out
    assert "of_users" not in done.out, "it is made of a table that cannot be pulled"
    for selection in ("together", "together/users"):
        refused = both.orgdata("pull", selection)
        assert refused.status == 2
        assert refused.everything == f"orgdata: {TOLD} in the environment or in .env; see .env.example\n"


def test_validate_and_doctor_name_it_once_and_succeed(both: Home) -> None:
    for command in ("validate", "doctor"):
        done = both.orgdata(command, *(["--offline"] if command == "doctor" else []))
        assert done.status == 0, done.everything
        assert done.out.count("not configured: set TOGETHER_ORGANIZATION_ID") == 1


def test_doctor_warns_if_only_a_part_of_its_variables_is_set(both: Home) -> None:
    both.set(TOGETHER_API_KEY="key")
    done = both.orgdata("doctor", "--offline")
    assert done.status == 1
    assert "WRONG together: not configured: set TOGETHER_ORGANIZATION_ID, TOGETHER_CLIENT_ID; its other" in done.out


def test_its_assets_show_it_and_schedules_and_catch_up_skip_it(both: Home) -> None:
    defs = build_defs()
    graph = defs.resolve_asset_graph()
    shown = graph.get(dg.AssetKey(["together", "users"]))
    assert (shown.description or "").startswith(f"{TOLD} in the environment or in .env")
    assert TAG.items() <= shown.tags.items()
    assert "not configured" not in (graph.get(dg.AssetKey(["institution_analytics", "users"])).description or "")
    repository = defs.get_repository_def()
    given = {"warehouse": (defs.resources or {})["warehouse"]}
    now = datetime.now(UTC)
    with both.instance() as instance:
        with dg.build_schedule_context(instance, scheduled_execution_time=now, resources=given) as context:
            off = repository.get_schedule_def("together_due").evaluate_tick(context)
            on = repository.get_schedule_def("institution_analytics_due").evaluate_tick(context)
        assert off.skip_message == TOLD.replace(" is", ":")
        assert on.run_requests
        with dg.build_sensor_context(instance, repository_def=repository, resources=given) as sensing:
            ticked = repository.get_sensor_def("catch_up").evaluate_tick(sensing)
        assert f"{TOLD.replace('is ', '(')})" in (ticked.skip_message or "")
