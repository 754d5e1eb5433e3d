"""Two accounts of one vendor at the same time: separate tables, pools and rate limits, no credential is mixed up."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import dagster as dg
import pytest
import yaml
from starlette.requests import Request

from orgdata_dagster import settings
from orgdata_dagster.orchestration.resources import VendorResource
from orgdata_dagster.project.build import build_defs
from orgdata_dagster.sandbox import octolis, tracker
from orgdata_dagster.sandbox.limits import UNLIMITED
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster_tests import warehouses
from orgdata_dagster_tests.dagster_internals.instances import in_memory
from orgdata_dagster_tests.integration import project
from orgdata_dagster_tests.integration.project import today
from orgdata_dagster_tests.vendors.rest.rig import QUIET
from orgdata_dagster_tests.vendors.rest.shapes import HEAD, ORDERS

HOME_KEY, FR_KEY = "canary-of-home-4711", "canary-of-france-0815"


def account(name: str | None, dataset: str) -> str:
    attributes = {"cron": None, "tables": [{"name": "contacts", "id": dataset}], **({"name": name} if name else {})}
    return yaml.safe_dump({"type": "orgdata_dagster.Octolis", "attributes": attributes})


def remember(keys: set[str], request: Request) -> str:
    """Record the credential of a request."""
    keys.add(request.query_params["api-key"])
    return request.query_params["api-key"]


def test_rows_of_a_rest_api_are_sent_to_a_named_account_and_to_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = [octolis.Column("number", "integer"), octolis.Column("title")]
    people = [octolis.Dataset("orders", columns, (("number",),)) for _ in range(2)]
    home, france = (Sandbox(octolis.Octolis([each], [], limits=UNLIMITED)) for each in people)
    issues = tracker.demo(days=1, rows=9, limits=UNLIMITED)
    with home, france, Sandbox(issues) as rest:
        seen = {home: set[str](), france: set[str]()}
        for one in (home, france):
            monkeypatch.setattr(one.octolis, "credential", partial(remember, seen[one]))
        for name, value in {
            settings.HOME: str(tmp_path / "home"),
            settings.WAREHOUSE: "",
            "TRACKER_BASE_URL": f"{rest.url}/tracker",
            "TRACKER_TOKEN": tracker.TOKEN,
            "OCTOLIS_BASE_URL": f"{home.url}/octolis/v1/data",
            "OCTOLIS_API_KEY": HOME_KEY,
            "OCTOLIS_FR_BASE_URL": f"{france.url}/octolis/v1/data",
            "OCTOLIS_FR_API_KEY": FR_KEY,
        }.items():
            monkeypatch.setenv(name, value)
        sync = {
            "name": "out", "account": "octolis_fr", "dataset": "orders", "key": ["number"], "dry_run": False,
            "source": "SELECT id AS number, title FROM tracker.orders_current", "on_update": True,
        }  # fmt: skip
        written = {"type": "orgdata_dagster.OctolisSync", "attributes": sync}
        root = project.write(
            tmp_path / "project",
            {"tracker": HEAD.replace("START", today(back=1)) + ORDERS, "octolis_fr": yaml.safe_dump(written)},
        )
        defs = build_defs(project=root, for_ui=False)
        orders, out = dg.AssetKey(["tracker", "orders"]), dg.AssetKey(["octolis_fr", "out_sync"])
        node = defs.resolve_asset_graph().get(out)
        assert (node.group_name, node.pools, node.parent_keys) == ("octolis_fr", {"octolis_fr_api"}, {orders})
        job = defs.resolve_implicit_global_asset_job_def()
        with in_memory() as instance:
            for key in (orders, out):
                assert job.execute_in_process(instance=instance, asset_selection=[key], raise_on_error=False).success
        expected = {row["id"]: row["title"] or None for row in issues.lists["orders"].all()}
        assert {row["number"]: row["title"] or None for row in people[1].truth()} == expected
        assert people[0].truth() == []
    assert seen == {home: set(), france: {FR_KEY}}


def test_two_accounts_of_octolis_are_independent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Sandbox(octolis.demo(limits=UNLIMITED)) as home, Sandbox(octolis.demo(limits=UNLIMITED)) as france:
        seen = {home: set[str](), france: set[str]()}
        for one in (home, france):
            monkeypatch.setattr(one.octolis, "credential", partial(remember, seen[one]))
        dataset = next(iter(home.octolis.datasets))
        for name, value in {
            settings.HOME: str(tmp_path / "home"),
            settings.WAREHOUSE: warehouses.variable(tmp_path),
            "OCTOLIS_BASE_URL": f"{home.url}/octolis/v1/data",
            "OCTOLIS_API_KEY": HOME_KEY,
            "OCTOLIS_FR_BASE_URL": f"{france.url}/octolis/v1/data",
            "OCTOLIS_FR_API_KEY": FR_KEY,
        }.items():
            monkeypatch.setenv(name, value)
        root = project.write(
            tmp_path / "project", {"octolis": account(None, dataset), "octolis_fr": account("octolis_fr", dataset)}
        )
        defs = build_defs(project=root, for_ui=False)
        vendors = {key: each for key, each in (defs.resources or {}).items() if isinstance(each, VendorResource)}
        assert {key: each.vendor for key, each in vendors.items()} == {"octolis": "octolis", "octolis_fr": "octolis_fr"}
        assert len({each.rate_limit().name for each in vendors.values()}) == 2
        keys = [dg.AssetKey(["octolis", "contacts"]), dg.AssetKey(["octolis_fr", "contacts"])]
        assert [defs.resolve_asset_graph().get(key).group_name for key in keys] == ["octolis", "octolis_fr"]
        job = defs.resolve_implicit_global_asset_job_def()
        with in_memory() as instance:
            result = job.execute_in_process(
                instance=instance, asset_selection=keys, raise_on_error=False, run_config=QUIET
            )
        assert result.success
    assert seen[home] == {HOME_KEY}
    assert seen[france] == {FR_KEY}
