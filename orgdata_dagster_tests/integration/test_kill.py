"""kill -9 of `orgdata pull` at any moment, then one clean pull: everything is there, nothing is stuck."""

import os
import random
import time

import dagster as dg

from orgdata_dagster import settings
from orgdata_dagster.orchestration.config.request_options import Limits
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster.vendors.institution_analytics.resource import InstitutionAnalyticsResource
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.integration.project import institution_analytics, today
from orgdata_dagster_tests.integration.truth import difference
from orgdata_dagster_tests.waiting import wait_until

VENDOR = "institution_analytics"
KILLS = int(os.environ.get("ORGDATA_TEST_KILLS", "4"))  # 20 take a minute: `ORGDATA_TEST_KILLS=20 pytest ...`
# When: after so many requests, so that slow machines and fast ones meet the same phases; 0: while it is starting.
PHASES = (1, 8, 0, 12, 2, 4)
NAME = "events"


def test_killed_pulls_leave_nothing_half_done_and_nothing_stuck(home: Home, sandbox: Sandbox) -> None:
    """Alternately the command with its workers is killed, and only the command, whose workers must then end by
    themselves."""
    limits = {"concurrent": 2, "per_minute": 100_000}
    data_sets = [{"name": NAME, "key": ["id"]}]
    home.write_project(institution_analytics=institution_analytics(limits=limits, tables=data_sets))
    sandbox.institution_analytics.page_rows = 25  # or the run would be over before it is killed
    chance = random.Random(6)
    for number in range(KILLS):
        sandbox.log.clear()
        pull = home.start("pull", "--from", today(back=2))
        requests = PHASES[number % len(PHASES)]
        wait_until(lambda pull=pull, requests=requests: len(sandbox.log.entries()) >= requests or not pull.running)
        time.sleep(chance.uniform(0, 0.15))
        if (number + number // len(PHASES)) % 2:
            pull.kill_all()
        else:
            pull.kill()
        wait_until(lambda pull=pull: not pull.group())
        check_no_day_is_half_there(home, sandbox)
    check_after_a_clean_pull(home, sandbox)


def check_no_day_is_half_there(home: Home, sandbox: Sandbox) -> None:
    if not home.warehouse.exists:
        return
    if not home.sql("SELECT 1 FROM duckdb_tables() WHERE schema_name = ? AND table_name = ?", VENDOR, NAME):
        return
    days = [str(row["updated_date"])[:10] for row in sandbox.institution_analytics.data_sets[NAME].truth()]
    stored = dict(home.sql(f"SELECT _orgdata_partition, count(*) FROM {VENDOR}.{NAME} GROUP BY ALL"))
    assert {day: count for day, count in stored.items() if count != days.count(day)} == {}


def check_after_a_clean_pull(home: Home, sandbox: Sandbox) -> None:
    done = home.orgdata("pull", "--from", today(back=2))
    assert done.status == 0, done.everything
    truth = sandbox.institution_analytics.data_sets[NAME].truth()
    wanted = [row for row in truth if str(row["updated_date"]) >= today(back=2)]
    assert difference(home.warehouse, f"{VENDOR}.{NAME}", wanted) == {}
    with home.instance() as instance:
        statuses = [run.status for run in instance.get_runs()]
        assert set(statuses) == {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE}
        assert statuses.count(dg.DagsterRunStatus.FAILURE) > KILLS / 4  # kills that met a run, not only a start
        pool = instance.event_log_storage.get_concurrency_info(f"{VENDOR}_api")
        assert (pool.slot_count, pool.active_slot_count, pool.pending_step_count) == (2, 0, 0)
    assert home.warehouse.storage.writer() == ""
    limits = Limits(per_minute=100_000)
    rate_limit = InstitutionAnalyticsResource.from_environment(limits=limits, patience=1).rate_limit()
    with rate_limit.spend(), rate_limit.spend():
        pass  # both leases, and room for points
    assert not list(settings.staging().glob("run-*"))
