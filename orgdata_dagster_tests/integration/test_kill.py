"""kill -9 of `orgdata pull` at any moment, then one clean pull: everything is there, nothing is stuck."""

import random
import time
from collections.abc import Callable

import dagster as dg

from orgdata_dagster import settings
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster.vendors.institution_analytics.resource import InstitutionAnalyticsResource
from orgdata_dagster.warehouse.lock import holder, locked
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.integration.project import institution_analytics, today
from orgdata_dagster_tests.integration.truth import difference

VENDOR = "institution_analytics"
FIRST = today(back=3)
KILLS = 20


def wait_for(condition: Callable[[], bool], seconds: float = 20) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.01)


def test_killed_pulls_leave_nothing_half_done_and_nothing_stuck(home: Home, sandbox: Sandbox) -> None:
    """By turns the command with its workers, and the command alone, whose workers must then end by themselves."""
    home.write_project(institution_analytics=institution_analytics(limits={"concurrent": 2, "per_minute": 100_000}))
    chance = random.Random(20)
    for number in range(KILLS):
        sandbox.log.clear()
        pull = home.start("pull", "--from", FIRST)
        # counted in requests, so that all phases are met on fast machines and slow ones; none: while it is starting
        requests = chance.choice((0, 1, 1, 2, 5, 9, 15, 22))
        wait_for(lambda pull=pull, requests=requests: len(sandbox.log.entries()) >= requests or not pull.running)
        time.sleep(chance.uniform(0, 0.15))
        _ = pull.kill_all() if number % 2 else pull.kill()
        wait_for(lambda pull=pull: not pull.group())
        check_no_day_is_half_there(home, sandbox)
    check_the_clean_pull(home, sandbox)


def check_no_day_is_half_there(home: Home, sandbox: Sandbox) -> None:
    if not home.warehouse.exists or not home.sql("SELECT 1 FROM duckdb_tables() WHERE schema_name = ?", VENDOR):
        return
    for name, data_set in sandbox.institution_analytics.data_sets.items():
        if not home.sql("SELECT 1 FROM duckdb_tables() WHERE schema_name = ? AND table_name = ?", VENDOR, name):
            continue
        days = [str(row["updated_date"])[:10] for row in data_set.truth()]
        stored = home.sql(f"SELECT _orgdata_partition, count(*) FROM {VENDOR}.{name} GROUP BY ALL")
        assert {day: count for day, count in stored if count != days.count(day) and day != today()} == {}


def check_the_clean_pull(home: Home, sandbox: Sandbox) -> None:
    done = home.orgdata("pull", "--from", FIRST)
    assert done.status == 0, done.everything
    for name, data_set in sandbox.institution_analytics.data_sets.items():
        truth = [row for row in data_set.truth() if str(row["updated_date"]) >= FIRST]
        assert difference(home.warehouse, f"{VENDOR}.{name}", truth) == {}
    with home.instance() as instance:
        ended = {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE}
        assert {run.status for run in instance.get_runs()} == ended
        pool = instance.event_log_storage.get_concurrency_info(f"{VENDOR}_api")
        assert (pool.slot_count, pool.active_slot_count, pool.pending_step_count) == (2, 0, 0)
    assert holder(home.warehouse.lock_path) is None
    with locked(home.warehouse.lock_path, shared=False):
        pass
    budget = InstitutionAnalyticsResource.from_environment(per_minute=100_000).budget()
    with budget.spend(timeout=1), budget.spend(timeout=1):
        pass
    assert not list(settings.staging().glob("run-*"))
