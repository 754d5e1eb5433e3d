"""A pull of a table and of what a user makes of it: the one goes before the other, or neither."""

import dagster as dg

from orgdata_dagster.sandbox import faults
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.integration.project import institution_analytics, today

OWN = """
import dagster as dg

from orgdata_dagster.orchestration.resources import WarehouseResource


@dg.asset(deps=[["institution_analytics", "users"]])
def by_day(warehouse: WarehouseResource) -> dg.MaterializeResult:
    count = warehouse.query("SELECT count(*) AS n FROM institution_analytics.users")["n"][0]
    return dg.MaterializeResult(metadata={"users": int(count)})
"""
SELECTION = 'key:"institution_analytics/users"+'


def test_what_is_made_of_a_table_waits_for_it(home: Home, sandbox: Sandbox) -> None:
    folder = home.write_project(institution_analytics=institution_analytics())
    [defs] = folder.glob("*/defs")
    (defs / "own.py").write_text(OWN)
    sandbox.institution_analytics.faults.add(faults.Status(401), times=9)
    refused = home.orgdata("pull", SELECTION, "--from", today(back=3))
    assert refused.status == 1
    assert "failed: by_day: left out, for institution_analytics/users failed" in refused.err

    sandbox.institution_analytics.faults.clear()
    home.orgdata("doctor", "--clear", "institution_analytics")
    done = home.orgdata("pull", SELECTION, "--from", today(back=3))
    assert done.status == 0, done.everything
    with home.instance() as instance:
        made = instance.get_latest_materialization_event(dg.AssetKey("by_day"))
    assert made is not None
    assert made.asset_materialization is not None
    [(users,)] = home.sql("SELECT count(*) FROM institution_analytics.users")
    assert made.asset_materialization.metadata["users"].value == users > 0
