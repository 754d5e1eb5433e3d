"""A run that Dagster interrupts, for example because a user terminates it in the UI."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from orgdata_dagster.orchestration.assets.interrupts import beside
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster.state import stopping
from orgdata_dagster.warehouse.storage.lake import Lake
from orgdata_dagster_tests import warehouses
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.integration.project import institution_analytics, today
from orgdata_dagster_tests.postgres import Server
from orgdata_dagster_tests.stopping import terminated_at_lock
from orgdata_dagster_tests.waiting import wait_until

ASSET = "institution_analytics/users"


def test_it_ends_at_once_and_loaded_partitions_are_kept_and_shown(home: Home, sandbox: Sandbox) -> None:
    """Its threads once continued to wait for the rate limit and to send requests for minutes."""
    limits = {"concurrent": 1, "per_minute": 6}
    home.write_project(institution_analytics=institution_analytics(limits=limits))
    sandbox.institution_analytics.page_rows = 1000  # two requests a day
    stopped_at: list[float] = []

    def terminate() -> None:
        wait_until(lambda: len(sandbox.log.entries()) >= 6, "the sixth request")
        time.sleep(0.5)  # by now it waits for the rate limit
        stopped_at.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=terminate, daemon=True).start()
    result = home.materialize(ASSET, today(back=5), today())
    assert time.monotonic() - stopped_at[0] < 8  # the next request may leave after 10 s
    assert not result.success
    assert not stopping.stopping()  # the process may run another step
    days = {day for (day,) in home.sql("SELECT partition_key FROM _orgdata.loads")}
    assert days
    with home.instance() as instance:
        assert instance.get_materialized_partitions(dg.AssetKey(ASSET.split("/"))) == days
    [failed] = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    assert failed.error is not None
    assert f"stopped after {len(days)} of 6 partitions have landed" in failed.error.message
    requests = len(sandbox.log.entries())
    assert home.sql("SELECT count(*) FROM _orgdata.requests") == [(requests,)]  # every request is recorded


@pytest.mark.usefixtures("sandbox")
def test_an_interruption_in_the_first_commit_to_a_lake_leaves_nothing_open(
    home: Home, postgres: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DuckDB once left the creation of the lake's tables uncommitted. The next connection of the step then waited for
    them for ever, with the lock for which all other runs waited."""
    warehouses.need_lakes()
    database = postgres.new_database()
    postgres.sql(f"ALTER DATABASE {database} SET lock_timeout = '5s'")  # instead of for ever
    home.set(ORGDATA_WAREHOUSE=f"ducklake:postgres:{postgres.keywords(database)}?DATA_PATH={tmp_path}/lake")
    attach, attached = Lake.attach, list[str]()

    def interrupted(lake: Lake, connection: duckdb.DuckDBPyConnection, alias: str, *, read_only: bool) -> None:
        terminate = threading.Timer(0.03, os.kill, (os.getpid(), signal.SIGTERM))
        if first := not read_only and not attached:
            attached.append(alias)
            terminate.start()
        attach(lake, connection, alias, read_only=read_only)
        if first:
            terminate.join()  # a signal after the step would end the test's process

    monkeypatch.setattr(Lake, "attach", interrupted)
    result = home.materialize(ASSET, today(back=1), today())
    assert attached
    [failed] = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    assert failed.error is not None
    assert failed.error.cls_name == "DagsterExecutionInterruptedError"
    days = {day for (day,) in home.sql("SELECT partition_key FROM _orgdata.loads")}
    with home.instance() as instance:
        assert instance.get_materialized_partitions(dg.AssetKey(ASSET.split("/"))) == days
    busy = "SELECT query FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'"
    assert postgres.sql(busy, database) == []
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith(("step", "land"))] == []
    assert home.materialize(ASSET, today(back=1), today()).success


@pytest.mark.usefixtures("sandbox")
def test_it_does_not_wait_for_the_process_that_holds_the_warehouse(home: Home) -> None:
    """It once ended only after that process had committed."""
    with terminated_at_lock(home.warehouse.writing) as holder:
        result = home.materialize(ASSET)
        assert holder.is_alive(), "the step waited for the holder"
    [failed] = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    assert failed.error is not None
    assert failed.error.cls_name == "DagsterExecutionInterruptedError"
    assert home.materialize(ASSET).success


def test_no_signal_interrupts_what_runs_beside_the_main_thread() -> None:
    """DuckDB and locks do not survive an exception at an arbitrary place, but waits have to end."""
    before = signal.getsignal(signal.SIGTERM)
    begun, steps = threading.Event(), list[str]()

    def work() -> None:
        begun.set()
        try:
            stopping.sleep(60)
        except stopping.Stopped:
            time.sleep(0.2)
            steps.append("ended in order")
            raise

    def terminate() -> None:
        begun.wait()
        for _ in range(3):  # an impatient user
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.05)

    threading.Thread(target=terminate, daemon=True).start()
    with pytest.raises(dg.DagsterExecutionInterruptedError):
        beside(work)
    assert steps == ["ended in order"]
    assert not stopping.stopping()
    assert signal.getsignal(signal.SIGTERM) is before
    assert beside(lambda: 1) == 1


@pytest.mark.parametrize("fails", [False, True])
def test_a_step_that_ends_while_it_is_interrupted_counts_as_canceled(fails: bool) -> None:
    def work() -> int:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.05)
        return 1 // (0 if fails else 1)

    with pytest.raises(dg.DagsterExecutionInterruptedError, match="division" if fails else "stopped"):
        beside(work)
