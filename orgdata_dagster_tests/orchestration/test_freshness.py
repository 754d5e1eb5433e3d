"""A table is fresh if it is complete until recently, whenever and for whichever day it was last materialized."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from orgdata_dagster.cli import loaded_project
from orgdata_dagster.orchestration.automation.freshness import freshness_sensor
from orgdata_dagster.orchestration.checks.freshness import NAME, Allowed, Freshness, allowed, allowed_by
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.integration.project import institution_analytics, today
from orgdata_dagster_tests.ticks import tick_sensor

USERS = "institution_analytics/users"
KEY = dg.AssetKey(USERS.split("/"))
NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_a_missed_tick_warns_and_two_fail() -> None:
    assert allowed("15 */4 * * *") == Allowed(4.5 * HOUR, 8.5 * HOUR)
    assert allowed("40 5 * * 1-5") == Allowed(3 * timedelta(days=1) + HOUR / 2, timedelta(days=6, minutes=30))
    assert allowed(None) is None
    for_four_hours = Allowed(4.5 * HOUR, 8.5 * HOUR)
    assert allowed_by(for_four_hours.spec(KEY).metadata) == for_four_hours

    def judged(age: timedelta | None) -> tuple[str, bool, dg.AssetCheckSeverity]:
        found = Freshness(None if age is None else NOW - age, for_four_hours, NOW)
        result = found.result()
        return found.state, result.passed, result.severity

    assert judged(4 * HOUR)[:2] == ("fresh", True)
    assert judged(5 * HOUR) == ("late", False, dg.AssetCheckSeverity.WARN)
    assert judged(9 * HOUR) == ("overdue", False, dg.AssetCheckSeverity.ERROR)
    assert judged(None) == ("overdue", False, dg.AssetCheckSeverity.ERROR)
    assert "complete until 2026-03-04 03:00 UTC, more than 8.5 hours ago" in str(
        Freshness(NOW - 9 * HOUR, for_four_hours, NOW)
    )


@pytest.mark.usefixtures("sandbox")
def test_a_backfill_of_an_old_day_does_not_make_a_table_fresh(home: Home) -> None:
    home.write_project(institution_analytics=institution_analytics(cron="0 */4 * * *"))

    def of_run(first: str) -> dg.AssetCheckEvaluation:
        done = home.materialize(USERS, first)
        assert done.success
        return next(check for check in done.get_asset_check_evaluations() if check.check_name == NAME)

    assert of_run(today()).passed
    home_set_back(home, 10 * HOUR)
    assert sensor(home) == [(NAME, False, dg.AssetCheckSeverity.ERROR)]
    assert sensor(home, cursor='{"institution_analytics/users": "overdue"}') == []  # reported once
    old = of_run(today(back=3))
    assert (old.passed, old.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert sensor(home, cursor='{"institution_analytics/users": "overdue"}') == []
    assert of_run(today()).passed
    assert sensor(home, cursor='{"institution_analytics/users": "overdue"}') == [
        (NAME, True, dg.AssetCheckSeverity.WARN)
    ]


def home_set_back(home: Home, age: timedelta) -> None:
    """As if nothing had been pulled for that long."""
    with home.warehouse.writing() as connection:
        connection.execute("UPDATE _orgdata.coverage SET to_instant = least(to_instant, now() - ?::INTERVAL)", [age])


def sensor(home: Home, cursor: str | None = None) -> list[tuple[str, bool, dg.AssetCheckSeverity]]:
    """A tick of the sensor; check, whether it passed, and its severity."""
    defs = loaded_project.load().defs
    with home.instance() as instance:
        result = tick_sensor(instance, defs, freshness_sensor(), cursor)
    found = [event for event in result.asset_events if isinstance(event, dg.AssetCheckEvaluation)]
    assert {event.asset_key for event in found} <= {KEY}
    return [(event.check_name, event.passed, event.severity) for event in found]
