"""A pull of a table and of a downstream asset of the user: the table first; if it fails, the asset is skipped."""

import dagster as dg
import pytest

from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.integration.project import institution_analytics, today

OWN = """
import dagster as dg

from orgdata_dagster.orchestration.resources import WarehouseResource


@dg.asset(deps=[["institution_analytics", "users"]])
def a_count(warehouse: WarehouseResource) -> dg.MaterializeResult:
    count = warehouse.query("SELECT count(*) AS n FROM institution_analytics.users")["n"][0]
    return dg.MaterializeResult(metadata={"users": int(count)})


@dg.asset(deps=[a_count])
def b_broken() -> None:
    raise dg.Failure("on purpose")


@dg.asset(deps=[b_broken])
def a_chart() -> None: ...
"""


@pytest.mark.usefixtures("sandbox")
def test_a_downstream_asset_runs_after_its_table_and_not_if_that_failed(home: Home) -> None:
    folder = home.write_project(institution_analytics=institution_analytics(tables=[{"name": "users"}]))
    [defs] = folder.glob("*/defs")
    (defs / "own.py").write_text(OWN)
    done = home.orgdata("pull", "--from", today(back=3))
    failed = [line for line in done.err.splitlines() if line.startswith("failed: ")]
    assert [line.split(": ")[1] for line in failed] == ["a_chart", "b_broken"], done.everything
    assert "skipped because b_broken failed" in failed[0]
    assert "on purpose" in failed[1]
    with home.instance() as instance:
        made = instance.get_latest_materialization_event(dg.AssetKey("a_count"))
    assert made is not None
    assert made.asset_materialization is not None
    [(users,)] = home.sql("SELECT count(*) FROM institution_analytics.users")
    assert made.asset_materialization.metadata["users"].value == users > 0
