"""A run that Dagster interrupts, for example because a user terminates it in the UI."""

import os
import signal
import threading
import time

import dagster as dg

from orgdata_dagster.http import stopping
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.integration.project import institution_analytics, today
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
