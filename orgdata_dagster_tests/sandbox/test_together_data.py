import json
import tracemalloc
from datetime import UTC, datetime, timedelta

import httpx

from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster.sandbox.together import Together, big, demo
from orgdata_dagster.sandbox.together.api import DEFAULT_CLIENT, DEFAULT_KEY, DEFAULT_ORGANIZATION, TABLES
from orgdata_dagster.sandbox.together.big import BLOCK, BigReport
from orgdata_dagster.sandbox.together.demo_data import BIOS
from orgdata_dagster_tests.sandbox.reading import parse

NOW = datetime(2026, 3, 10, 15, 30, tzinfo=UTC)


def later(days: int) -> datetime:
    return NOW + timedelta(days=days)


def table(vendor: Together, name: str) -> list[dict[str, str | None]]:
    return vendor.truth(name) or []


def test_the_demo_has_every_report_and_its_csv_is_its_truth() -> None:
    vendor = demo(now=lambda: NOW)
    assert set(vendor.reports) == set(TABLES.values())
    for report in vendor.reports.values():
        assert 80 < len(report) < 400
        assert parse(report.csv().removeprefix("\ufeff") + "\r\n") == report.truth()
        assert not report.csv().endswith("\r\n")
    users = table(vendor, "users")
    assert users[0]["User ID"] == "000042"
    assert {row["Bio"] for row in users} == set(BIOS)
    assert {"", None} < {row["Department"] for row in users}
    sessions = [tuple(row.values()) for row in table(vendor, "sessions")]
    assert len(set(sessions)) == len(sessions)


def test_the_next_day_has_changed_new_and_lost_rows() -> None:
    """Otherwise a change history has nothing to show, and its tests cannot fail."""
    old, new = ({row["User ID"]: row for row in table(demo(now=lambda n=n: n), "users")} for n in (NOW, later(1)))
    assert old == {row["User ID"]: row for row in table(demo(now=lambda: NOW), "users")}
    assert len(set(old) - set(new)) == 1
    changed = sum(old[key] != new[key] for key in set(old) & set(new))
    assert 0.05 < changed / len(old) < 0.2
    assert len(table(demo(now=lambda: later(9)), "users")) == len(old) + 3


def test_a_big_report_has_the_stated_length() -> None:
    report = BigReport(1_500_000)
    export = report.export()
    inside = b"".join(export.pieces)
    assert len(inside) == export.length >= 1_500_000
    assert export.rows == len(report) == 2 * BLOCK
    text = json.loads(b'"' + inside + b'"')
    assert text.startswith("\ufeffUser ID,")
    assert not text.endswith("\r\n")
    assert parse(text.removeprefix("\ufeff") + "\r\n") == report.truth()


def test_a_big_report_is_served_with_constant_memory() -> None:
    vendor = big(30_000_000)
    headers = {"organization-id": DEFAULT_ORGANIZATION, "client-id": DEFAULT_CLIENT, "api-key": DEFAULT_KEY,
               "content-type": "application/json"}  # fmt: skip
    url = f"/together/public/{DEFAULT_ORGANIZATION}/reports/export/userReport"
    with Sandbox(vendor) as sandbox, httpx.Client(base_url=sandbox.url, headers=headers, verify=False) as client:
        tracemalloc.start()
        with client.stream("GET", url) as answer:
            received = sum(map(len, answer.iter_raw()))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert received == int(answer.headers["content-length"]) >= 30_000_000
    assert peak < 15_000_000  # of both sides; a report in memory would be twice that
