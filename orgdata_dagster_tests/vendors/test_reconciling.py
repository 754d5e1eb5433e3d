"""The checks that compare a table with the vendor's own figures find missing and wrong rows."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from orgdata_dagster import settings
from orgdata_dagster.orchestration.resources import VendorResource, WarehouseResource
from orgdata_dagster.orchestration.tags import RANGE_END, RANGE_START
from orgdata_dagster.sandbox import accutics as accutics_sandbox
from orgdata_dagster.sandbox import channel_reports as channel_reports_sandbox
from orgdata_dagster.sandbox.environment import environment
from orgdata_dagster.sandbox.limits import UNLIMITED
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster.vendors.accutics.component import Accutics
from orgdata_dagster.vendors.accutics.resource import AccuticsResource
from orgdata_dagster.vendors.base.component import VendorComponent
from orgdata_dagster.vendors.channel_reports.component import ChannelReports
from orgdata_dagster.vendors.channel_reports.endpoints import ENDPOINTS
from orgdata_dagster.vendors.channel_reports.resource import ChannelReportsResource
from orgdata_dagster_tests import warehouses
from orgdata_dagster_tests.integration.project import today

Kind = type[VendorResource]


@pytest.fixture
def vendors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    monkeypatch.setenv(settings.HOME, str(tmp_path))
    monkeypatch.setenv(settings.WAREHOUSE, warehouses.variable(tmp_path))
    reports = channel_reports_sandbox.demo(days=6, limits=UNLIMITED)
    with Sandbox(accutics_sandbox.demo(days=4, rows=200, limits=UNLIMITED), reports) as running:
        for name, value in environment(running.url).items():
            monkeypatch.setenv(name, value)
        yield running


def made(component: type[VendorComponent], **attributes: Any) -> tuple[dg.AssetsDefinition, dg.AssetChecksDefinition]:
    """The only asset that the YAML makes, and the check that compares it with the vendor."""
    made = component.resolve_from_yaml(yaml.safe_dump(attributes))
    defs = made.build_defs(dg.ComponentTree.for_test().load_context)
    [asset], [one] = defs.assets or (), defs.asset_checks or ()
    assert isinstance(asset, dg.AssetsDefinition)
    assert isinstance(one, dg.AssetChecksDefinition)
    return asset, one


def check(
    asset: dg.AssetsDefinition, check: dg.AssetChecksDefinition, kind: Kind, *, land: bool, back: int = 5
) -> dg.AssetCheckEvaluation:
    """Run the check, after a pull of the last days if it is to `land`; returns its result."""
    done = dg.materialize(
        [asset, check],
        resources={kind.kind: kind.from_environment(limits={"per_minute": None}), "warehouse": WarehouseResource()},
        selection=[asset] if land else dg.AssetSelection.checks(check),
        tags={RANGE_START: today(back=back), RANGE_END: today()} if land and asset.partitions_def else {},
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
    table = {"name": "submissions", "path": "/submissions", "paging": "page", "key": ["id"], "cursor_column": cursor}
    asset, one = made(Accutics, start_date=today(back=5), lookback="0s", tables=[table])
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
def test_days_that_were_never_pulled_are_not_compared() -> None:
    """A table that begins later than the vendor's list is not incomplete."""
    table = {"name": "submissions", "path": "/submissions", "paging": "page", "key": ["id"]}
    asset, one = made(
        Accutics, start_date=today(back=30), lookback="0s", tables=[{**table, "cursor_column": "updated_at"}]
    )
    first = check(asset, one, AccuticsResource, land=True, back=2)
    assert first.passed, first.description
    counted = first.metadata["accutics"].value
    more = check(asset, one, AccuticsResource, land=True, back=5)
    assert more.passed, more.description
    assert more.metadata["accutics"].value > counted  # type: ignore[operator]


@pytest.mark.usefixtures("vendors")
@pytest.mark.parametrize("name", ["reports_per_user", "reports_read"])
def test_days_add_up_to_the_vendors_count_of_the_whole_range(name: str) -> None:
    endpoint = ENDPOINTS[name]
    asset, one = made(ChannelReports, start_date=today(back=5), channels=[1], tables=[{"name": name}])
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
