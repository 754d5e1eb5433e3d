"""`orgdata metrics` prints OpenMetrics that a Prometheus parser accepts, with the figures of the landed tables."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from orgdata_dagster.cli.metrics import Metric, collect, text
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.integration.project import institution_analytics, today

USERS = {"vendor": "institution_analytics", "table": "users"}


def parsed(metrics: list[Metric]) -> dict[str, dict[frozenset[tuple[str, str]], float]]:
    """Metric -> labels -> value, as Prometheus reads the text."""
    found: dict[str, dict[frozenset[tuple[str, str]], float]] = {}
    for family in text_string_to_metric_families(text(metrics)):
        for sample in family.samples:
            series = found.setdefault(sample.name, {})
            labels = frozenset(sample.labels.items())
            assert labels not in series, f"two samples of {sample.name} {sample.labels}"
            series[labels] = sample.value
    return found


@pytest.mark.usefixtures("sandbox")
def test_the_figures_of_a_pull(home: Home) -> None:
    home.write_project(institution_analytics=institution_analytics(tables=[{"name": "users", "key": ["id"]}]))
    assert home.materialize("institution_analytics/users", today(back=3), today(back=3)).success
    assert home.materialize("institution_analytics/users", today(back=1), today(back=1)).success
    found = parsed(collect(datetime.now(UTC) + timedelta(hours=1)))
    users, vendor = frozenset(USERS.items()), USERS["vendor"]
    [(rows,)] = home.sql("SELECT count(*) FROM institution_analytics.users")
    [(requests,)] = home.sql("SELECT count(*) FROM _orgdata.requests")
    assert found["orgdata_table_rows"][users] == found["orgdata_rows_landed_last_day"][users] == rows
    assert found["orgdata_gaps"][users] == 1  # the day between
    assert found["orgdata_requests_last_day"][frozenset({"vendor": vendor, "status": "200"}.items())] == requests
    midnight = datetime.fromisoformat(f"{today()}T00:00:00+00:00")
    assert found["orgdata_complete_until_timestamp_seconds"][users] == midnight.timestamp()
    lag = (datetime.now(UTC) + timedelta(hours=1) - midnight).total_seconds()
    assert found["orgdata_coverage_lag_seconds"][users] == pytest.approx(lag, abs=60)
    assert 0 < found["orgdata_commit_seconds"][users] < 60
    assert found["orgdata_vendor_paused"][frozenset({("vendor", vendor)})] == 0
    assert found["orgdata_runs"][frozenset({("status", "queued")})] == 0
    checks = {dict(labels)["check"] for labels in found.get("orgdata_check_failing", {})}
    assert checks <= {"freshness", "volume"}


def test_numbers_are_as_short_as_possible() -> None:
    metric = Metric("orgdata_waits_last_day_seconds", "Time.", "seconds")
    metric.add(83.249495, vendor="together")
    metric.add(2400, vendor="octolis")
    assert [line.rpartition(" ")[2] for line in text([metric]).splitlines()[3:-1]] == ["83.249495", "2400"]


def test_before_anything_has_landed(new_home: Home) -> None:
    assert new_home.folder
    found = parsed(collect())
    assert set(found["orgdata_table_rows"].values()) == {0}
    assert "orgdata_coverage_lag_seconds" not in found


@pytest.mark.usefixtures("new_home")
def test_every_metric_is_documented() -> None:
    document = (Path(__file__).parent.parent.parent / "docs" / "alerts_and_metrics.md").read_text()
    assert {metric.name for metric in collect()} == set(re.findall(r"^\| `(orgdata_\w+)`", document, re.M))


def test_awkward_labels_survive() -> None:
    metric = Metric("orgdata_gaps", 'a "help" of \\ two\nlines')
    metric.add(1, table='a "quoted" \\ name\nin lines')
    assert parsed([metric]) == {"orgdata_gaps": {frozenset({("table", 'a "quoted" \\ name\nin lines')}): 1.0}}
