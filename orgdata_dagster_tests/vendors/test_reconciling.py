"""The checks that compare a table with the vendor's own figures: a row that is missing or wrong is found."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from orgdata_dagster import settings
from orgdata_dagster.orchestration.automation.schedules import RANGE_END, RANGE_START
from orgdata_dagster.orchestration.resources import VendorResource, WarehouseResource
from orgdata_dagster.sandbox import accutics as accutics_sandbox
from orgdata_dagster.sandbox import channel_reports as channel_reports_sandbox
from orgdata_dagster.sandbox.environment import environment
from orgdata_dagster.sandbox.limits import UNLIMITED
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster.vendors.accutics import reconciling as accutics
from orgdata_dagster.vendors.accutics.assets import Entity
from orgdata_dagster.vendors.accutics.assets import build_asset as entity_asset
from orgdata_dagster.vendors.accutics.client import Listing
from orgdata_dagster.vendors.accutics.resource import AccuticsResource
from orgdata_dagster.vendors.channel_reports import reconciling as channel_reports
from orgdata_dagster.vendors.channel_reports.assets import Report
from orgdata_dagster.vendors.channel_reports.assets import build_asset as report_asset
from orgdata_dagster.vendors.channel_reports.endpoints import ENDPOINTS
from orgdata_dagster.vendors.channel_reports.resource import ChannelReportsResource
from orgdata_dagster_tests.integration.project import today

Kind = type[VendorResource]


@pytest.fixture
def vendors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    monkeypatch.setenv(settings.HOME, str(tmp_path))
    monkeypatch.setenv(settings.WAREHOUSE, "")
    reports = channel_reports_sandbox.demo(days=6, limits=UNLIMITED)
    with Sandbox(accutics_sandbox.demo(days=4, rows=200, limits=UNLIMITED), reports) as running:
        for name, value in environment(running.url).items():
            monkeypatch.setenv(name, value)
        yield running


def check(
    asset: dg.AssetsDefinition, check: dg.AssetChecksDefinition, kind: Kind, *, land: bool
) -> dg.AssetCheckEvaluation:
    """Run the check, behind a pull of the last days if it is to `land`; what it found."""
    done = dg.materialize(
        [asset, check],
        resources={kind.vendor: kind.from_environment(per_minute=None), "warehouse": WarehouseResource()},
        selection=[asset] if land else dg.AssetSelection.checks(check),
        tags={RANGE_START: today(back=5), RANGE_END: today()} if land and asset.partitions_def else {},
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
    )
    return done.get_asset_check_evaluations()[-1] if not land else check_again(asset, check, kind)


def check_again(asset: dg.AssetsDefinition, one: dg.AssetChecksDefinition, kind: Kind) -> dg.AssetCheckEvaluation:
    return check(asset, one, kind, land=False)


def corrupt(sql: str) -> None:
    with WarehouseResource().open().writing() as connection:
        connection.execute(sql)


@pytest.mark.parametrize("cursor", [None, "updated_at"])
def test_accutics_counts_the_rows(vendors: Sandbox, cursor: str | None) -> None:
    listing = Listing("/submissions", "page", key=("id",), cursor_column=cursor)
    asset = entity_asset(Entity("submissions", listing), start_date=today(back=5), settle_seconds=0)
    one = accutics.build_check(asset, listing, today(back=5))
    good = check(asset, one, AccuticsResource, land=True)
    assert good.passed, good.description
    # what changed since the pull is no fault of the table
    entity = vendors.accutics.entities["submissions"]
    if cursor:
        entity.update(entity.truth()[0]["id"])
        entity.insert({"id": "brand new"})
        moved = check_again(asset, one, AccuticsResource)
        assert moved.passed, moved.description
    corrupt(
        "DELETE FROM accutics.submissions WHERE id IN (SELECT id FROM accutics.submissions ORDER BY updated_at LIMIT 3)"
    )
    bad = check_again(asset, one, AccuticsResource)
    assert (bad.passed, bad.severity) == (False, dg.AssetCheckSeverity.ERROR)


@pytest.mark.usefixtures("vendors")
@pytest.mark.parametrize("name", ["reports_per_user", "reports_read"])
def test_days_add_up_to_the_vendors_count_of_the_whole_range(name: str) -> None:
    endpoint = ENDPOINTS[name]
    asset = report_asset(Report(endpoint, (1,), today(back=5)))
    one = channel_reports.build_check(asset, endpoint, (1,))
    good = check(asset, one, ChannelReportsResource, land=True)
    assert good.passed, good.description
    assert good.metadata["partitions"].value == 5
    [figure] = endpoint.additive
    corrupt(
        f"UPDATE channel_reports.{name} SET {figure} = {figure} + 1 WHERE start_date::DATE = DATE '{today(back=2)}'"
    )
    bad = check_again(asset, one, ChannelReportsResource)
    assert not bad.passed
    assert figure in (bad.description or "")
    assert bad.metadata["different"].value == 1
