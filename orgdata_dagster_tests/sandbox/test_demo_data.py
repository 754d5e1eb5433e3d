from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from orgdata_dagster.sandbox import instants
from orgdata_dagster.sandbox.institution_analytics import InstitutionAnalytics, demo
from orgdata_dagster.sandbox.institution_analytics.demo_data import EMPTY_DAY, NOTES
from orgdata_dagster_tests.sandbox.reading import parse

NOW = datetime(2026, 3, 10, 15, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def vendor() -> InstitutionAnalytics:
    return demo(now=lambda: NOW)


def day_of(row: dict[str, str | None]) -> str:
    return str(row["updated_date"])[:10]


def test_the_same_day_has_the_same_rows_whenever_the_sandbox_is_started(vendor: InstitutionAnalytics) -> None:
    later = demo(now=lambda: NOW + timedelta(days=1))
    for name in ("users", "courses", "events"):
        old, new = vendor.truth(name), later.truth(name)
        assert old == demo(now=lambda: NOW).truth(name)
        assert [r for r in old or [] if day_of(r) == "2026-03-08"] == [
            r for r in new or [] if day_of(r) == "2026-03-08"
        ]
    assert demo(now=lambda: NOW, seed=1).truth("events") != vendor.truth("events")


def test_nothing_is_newer_than_now_and_one_day_is_empty(vendor: InstitutionAnalytics) -> None:
    for name in ("users", "courses", "events"):
        rows = vendor.truth(name) or []
        assert max(instants.from_text(str(r["updated_date"])) for r in rows) <= instants.from_datetime(NOW)
        expected = {str((NOW - timedelta(days=n)).date()) for n in range(10) if n != EMPTY_DAY}
        assert {day_of(r) for r in rows} == expected
    assert 3000 < sum(len(d) for d in vendor.data_sets.values()) <= 4000


def test_each_data_set_is_as_awkward_as_promised(vendor: InstitutionAnalytics) -> None:
    events = vendor.truth("events") or []
    dates = [str(r["updated_date"]) for r in events]
    assert "2026-03-08T00:00:00Z" in dates
    assert {"2026-03-08T23:59:59.999999Z", "2026-03-08T23:59:59.999Z"} <= set(dates)
    assert {"2026-03-08T12:00:00Z", "2026-03-08T12:00:00.000Z", "2026-03-08T12:00:00.250001Z"} <= set(dates)
    assert max(Counter(dates).values()) >= 7
    assert {r["note"] for r in events} == set(NOTES)
    assert all(int(r["id"] or 0) > 2**53 for r in events)
    assert {len((r["ratio"] or "").replace(".", "")) for r in events} == {30}
    users = vendor.truth("users") or []
    assert all((r["id"] or "").startswith("0") for r in users)
    assert {r["legacy_code"] for r in users} == {None}
    assert {"", None} < {r["nickname"] for r in users}
    assert {"1.10", "1.9", "1.1"} <= {r["version"] for r in vendor.truth("courses") or []}


def test_what_is_served_is_the_truth(vendor: InstitutionAnalytics) -> None:
    for data_set in vendor.data_sets.values():
        text = (data_set.header + data_set.page(0, 2**62, 10**6).body).decode()
        assert sorted(map(repr, parse(text))) == sorted(map(repr, data_set.truth()))
        assert len({r[data_set.key] for r in data_set.truth()}) == len(data_set)
