"""Failures at the vendor and their effects: permanent and temporary failures, and bodies that are not data."""

import subprocess
import sys
import time
from typing import Any

import dagster as dg
import duckdb
import pytest

from orgdata_dagster.cli import loaded_project
from orgdata_dagster.orchestration.resources import WarehouseResource
from orgdata_dagster.orchestration.tags import RANGE_END, RANGE_START
from orgdata_dagster.sandbox import faults
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster.warehouse.errors import WarehouseHeld
from orgdata_dagster.warehouse.storage.connection import Warehouse
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.integration.project import institution_analytics, today
from orgdata_dagster_tests.integration.truth import difference

ASSET = "institution_analytics/users"
TABLE = "institution_analytics.users"


@pytest.fixture
def stubborn(home: Home) -> Home:
    """A home whose Dagster would retry everything that it may: steps by a policy, runs by the instance."""
    project = home.write_project(institution_analytics=institution_analytics(limits={"concurrent": 1}))
    settings = (project / "dagster.yaml").read_text()
    assert "retry_on_asset_or_op_failure: false" in settings
    (project / "dagster.yaml").write_text(settings.replace("op_failure: false", "op_failure: true"))
    return home


def run_with_policy(home: Home, first: str) -> tuple[dg.ExecuteInProcessResult, dict[str, str]]:
    """Run days of an asset under a RetryPolicy; returns the result, and the tags of the run afterwards."""
    defs = loaded_project.load().defs
    policy = dg.RetryPolicy(max_retries=1)
    job = dg.define_asset_job("with_policy", selection=dg.AssetSelection.assets(ASSET), op_retry_policy=policy)
    defs = dg.Definitions.merge(defs, dg.Definitions(jobs=[job]))
    with home.instance() as instance:
        result = defs.resolve_job_def("with_policy").execute_in_process(
            instance=instance, tags={RANGE_START: first, RANGE_END: today()}, raise_on_error=False
        )
        run = instance.get_run_by_id(result.run_id)
        assert run is not None
        return result, dict(run.tags)


def events(result: dg.ExecuteInProcessResult, kind: dg.DagsterEventType) -> list[Any]:
    return [event.event_specific_data for event in result.all_events if event.event_type == kind]


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_refusal_is_one_request_and_nothing_retries_it(stubborn: Home, sandbox: Sandbox, status: int) -> None:
    sandbox.institution_analytics.faults.add(faults.Status(status), times=50)
    result, tags = run_with_policy(stubborn, today(back=3))
    assert not result.success
    assert len(sandbox.log.entries()) == 1
    assert events(result, dg.DagsterEventType.STEP_UP_FOR_RETRY) == []
    assert tags["dagster/max_retries"] == "0"
    assert tags["dagster/will_retry"] == "false"  # Dagster's own verdict on another run
    [failed] = events(result, dg.DagsterEventType.STEP_FAILURE)
    words = failed.user_failure_data.description
    assert f"institution_analytics /institution_analytics/analytics: HTTP {status}" in words
    assert "3 partitions were not tried" in words
    if status in (401, 403):
        assert "INSTITUTION_ANALYTICS_API_KEY" in words


def test_requests_to_a_vendor_that_is_down_are_repeated_at_every_level(stubborn: Home, sandbox: Sandbox) -> None:
    """The counterpart of the previous test: Dagster would have retried if the failure had not been permanent."""
    sandbox.institution_analytics.faults.add(faults.Status(503), times=50)
    result, tags = run_with_policy(stubborn, today())
    assert len(sandbox.log.entries()) == 2 * 3  # the step twice, three attempts each
    assert len(events(result, dg.DagsterEventType.STEP_UP_FOR_RETRY)) == 1
    assert "dagster/max_retries" not in tags
    assert tags["dagster/will_retry"] == "true"
    [failed] = events(result, dg.DagsterEventType.STEP_FAILURE)
    assert "gave up after 3 attempts" in failed.user_failure_data.description


BROKEN = [
    faults.Html(),
    faults.ShortBody(0.5),
    faults.CutCsv(),
    faults.Reset(),
    faults.Reset(0.5),
    faults.Status(503),
    faults.Status(429, 0),
]


def test_broken_answers_are_requested_again(home: Home, sandbox: Sandbox) -> None:
    home.write_project(institution_analytics=institution_analytics(limits={"concurrent": 1}))
    vendor = sandbox.institution_analytics
    for fault in BROKEN:
        vendor.faults.add(fault, times=2)
        vendor.faults.add(faults.Slow(0), times=1)
    result = home.materialize(ASSET, today(back=5), today())
    assert result.success
    assert len(vendor.faults) == 0
    assert difference(home.warehouse, TABLE, vendor.data_sets["users"].truth()) == {}
    statuses = home.sql(
        "SELECT status, count(*) FROM _orgdata.requests WHERE error IS NOT NULL GROUP BY ALL ORDER BY 1"
    )
    assert statuses == [(200, 8), (429, 2), (503, 2), (None, 2)]


def test_a_body_that_stays_broken_is_never_data(home: Home, sandbox: Sandbox) -> None:
    vendor = sandbox.institution_analytics
    users = vendor.data_sets["users"]
    assert home.materialize(ASSET, today(back=2), today(back=1)).success
    before = [row for row in users.truth() if today(back=2) <= str(row["updated_date"]) < today()]
    users.delete(lambda row: row in before[5:])
    for fault in (faults.Html(), faults.ShortBody(0.7), faults.CutCsv()):
        sandbox.log.clear()
        vendor.faults.add(fault, times=50)
        result = home.materialize(ASSET, today(back=2), today(back=1))
        vendor.faults.clear()
        assert not result.success
        assert len(sandbox.log.entries()) == 2 * 3
        assert difference(home.warehouse, TABLE, before) == {}
        # the attempts are on record all the same
        assert home.sql("SELECT count(*) FROM _orgdata.requests WHERE run_id = ?", result.run_id) == [(6,)]


def test_what_landed_before_a_failure_is_kept_and_shown(home: Home, sandbox: Sandbox) -> None:
    home.write_project(institution_analytics=institution_analytics(limits={"concurrent": 1}))
    # one request per day: a page that holds all of it, and rows of the day before
    sandbox.institution_analytics.faults.add(faults.Status(503), times=50, after=1)
    result = home.materialize(ASSET, today(back=2), today(back=1))
    assert not result.success
    with home.instance() as instance:
        assert instance.get_materialized_partitions(dg.AssetKey(ASSET.split("/"))) == {today(back=2)}
    assert home.sql(f"SELECT DISTINCT _orgdata_partition FROM {TABLE}") == [(today(back=2),)]


def test_a_warehouse_in_use_is_waited_for_once_and_named(
    home: Home, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once the commit waited for it, then the record of the requests waited again, and the reason was lost."""
    assert sandbox.url
    assert home.materialize(ASSET, today(back=3)).success
    program = "import duckdb, sys; c = duckdb.connect(sys.argv[1], read_only=True); print(flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", program, home.warehouse.uri]
    waits, attach = list[float](), Warehouse._attach

    def timed(self: Warehouse, connection: duckdb.DuckDBPyConnection, *, read_only: bool) -> None:
        began = time.monotonic()
        try:
            attach(self, connection, read_only=read_only)
        except WarehouseHeld:
            waits.append(time.monotonic() - began)
            raise

    monkeypatch.setattr(Warehouse, "_attach", timed)
    opened = WarehouseResource.open

    def hurried(self: WarehouseResource) -> Warehouse:
        warehouse = opened(self)
        warehouse.patience = min(warehouse.patience, 1.5)
        return warehouse

    monkeypatch.setattr(WarehouseResource, "open", hurried)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as reader:
        assert reader.stdout is not None
        reader.stdout.readline()
        result = home.materialize(ASSET, today(back=2), today())
        reader.kill()
    assert not result.success
    [failed] = events(result, dg.DagsterEventType.STEP_FAILURE)
    assert f"process {reader.pid} (" in failed.user_failure_data.description
    assert failed.user_failure_data.description.count("end it, or wait for its end") == 1
    assert len([seconds for seconds in waits if seconds > 1]) == 1, waits  # the others are not patient
    assert home.materialize(ASSET, today(back=2), today()).success
