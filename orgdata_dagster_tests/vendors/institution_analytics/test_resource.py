"""The resources in a user's own asset: rows straight from the vendor, within the same limit, and SQL on the tables."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import pandas as pd
import pytest

from orgdata_dagster.orchestration.config.request_options import Limits
from orgdata_dagster.orchestration.resources import WarehouseResource
from orgdata_dagster.project.build import build_defs
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster.vendors.institution_analytics.resource import InstitutionAnalyticsResource
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.integration.project import institution_analytics, today


def yesterday() -> datetime:
    return datetime.fromisoformat(today(back=1)).replace(tzinfo=UTC)


def test_a_users_own_asset(home: Home, sandbox: Sandbox) -> None:
    assert home.materialize("institution_analytics/users", today(back=1)).success
    truth = [
        row for row in sandbox.institution_analytics.data_sets["users"].truth() if today() > str(row["updated_date"])
    ]
    truth = [row for row in truth if str(row["updated_date"]) >= today(back=1)]
    seen: dict[str, pd.DataFrame] = {}

    @dg.asset
    def mine(institution_analytics: InstitutionAnalyticsResource, warehouse: WarehouseResource) -> None:
        seen["rows"] = institution_analytics.rows("users", yesterday(), yesterday() + timedelta(days=1))
        seen["count"] = warehouse.query("SELECT count(*) AS n FROM institution_analytics.users WHERE id <> ?", ["none"])

    with home.instance() as instance:
        assert dg.materialize([mine], resources=build_defs().resources, instance=instance).success
    assert seen["count"]["n"].to_list() == [len(truth)]
    rows = seen["rows"]
    assert list(rows.columns) == list(truth[0])
    assert sorted(rows["id"]) == sorted(str(row["id"]) for row in truth)
    assert rows["external_id"].map(type).eq(str).all()  # text: no number above 2^53 is rounded


def test_a_script_and_the_runs_pay_one_rate_limit(home: Home, sandbox: Sandbox) -> None:
    home.write_project(institution_analytics=institution_analytics(limits={"concurrent": 1, "per_minute": 1000}))
    resource = InstitutionAnalyticsResource.from_environment(limits=Limits(concurrent=1, per_minute=1000))
    resource.rows("users", yesterday(), yesterday() + timedelta(days=1))
    by_script = len(sandbox.log.entries())
    assert by_script > 0
    assert resource.rate_limit().usage()[0].spent == by_script
    assert home.materialize("institution_analytics/users", today(back=1)).success
    assert len(sandbox.log.entries()) > by_script
    assert resource.rate_limit().usage()[0].spent == len(sandbox.log.entries())


@pytest.mark.usefixtures("home")
def test_no_rows_is_an_empty_frame(sandbox: Sandbox) -> None:
    sandbox.institution_analytics.empty_header = False
    resource = InstitutionAnalyticsResource.from_environment(limits=Limits(per_minute=None))
    assert resource.rows("users", yesterday() - timedelta(days=900), yesterday() - timedelta(days=899)).empty
