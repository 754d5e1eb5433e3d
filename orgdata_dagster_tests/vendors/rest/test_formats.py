"""Formats, cursors in headers, epochs, credentials and several windows, end to end: the table equals the list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from orgdata_dagster.http.client import HttpClient
from orgdata_dagster.http.rest.auth import ClientCredentials
from orgdata_dagster.sandbox.tracker import CLIENT, SECRET, Tracker
from orgdata_dagster.sandbox.tracker.rows import instant
from orgdata_dagster_tests.http.fakes import FakeClock
from orgdata_dagster_tests.vendors.rest.rig import Rig, failure
from orgdata_dagster_tests.vendors.rest.shapes import ORDERS

LINES = """
    - {name: lines, path: /lines, format: jsonl, paginator: {type: single_page}, key: [id]}
"""
TEXTS = """
    - {name: texts, path: /texts, format: csv_in_json, records: report.text, paginator: {type: single_page}, key: [id]}
"""
STREAM = """
    - name: stream
      path: /stream
      paginator: {type: cursor, cursor: "header:X-Next", parameter: after}
      key: [id]
      incremental: {column: COLUMN, column_format: FORMAT, from: since, format: epoch, lookback: 0s}
"""


@pytest.mark.parametrize(("name", "yaml"), [("lines", LINES), ("texts", TEXTS)])
def test_json_lines_and_csv_in_json(rig: Rig, name: str, yaml: str) -> None:
    assert rig.pull(yaml, name).success
    assert rig.table(name) == rig.truth(name)
    rig.vendor.lists[name].delete(7)
    rig.vendor.lists[name].insert(title='two "words"', project=1, points=1)
    assert rig.pull(yaml, name).success
    assert rig.table(name) == rig.truth(name)


@pytest.mark.parametrize(("column", "form"), [("at", "epoch"), ("at_ms", "epoch_ms")])
def test_a_cursor_in_a_header_and_a_column_in_epochs(rig: Rig, column: str, form: str) -> None:
    yaml = STREAM.replace("COLUMN", column).replace("FORMAT", form)
    rows = rig.vendor.lists["stream"]

    def truth() -> list[tuple[int, str, int]]:
        found = ((row["id"], row["title"], instant(row["updated_at"]).timestamp()) for row in rows.all())
        return [(key, title, round(at * 1000) if column == "at_ms" else int(at)) for key, title, at in found]

    assert rig.pull(yaml, "stream").success
    assert rig.sql(f'SELECT id, title, "{column}" FROM tracker.stream ORDER BY id') == truth()
    rig.sandbox.log.clear()
    rows.touch(3, title="changed")
    new = rows.insert(title="new")
    assert rig.pull(yaml, "stream").success
    assert rig.sql(f'SELECT id, title, "{column}" FROM tracker.stream ORDER BY id') == truth()
    [asked] = rig.sandbox.log.entries()  # only what changed
    assert int(asked.query["since"]) > 0
    assert new in {key for key, _, _ in truth()}


def test_a_user_name_and_a_password(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    auth = {"type": "http_basic", "username": "TRACKER_USER", "password": "TRACKER_PASSWORD"}
    monkeypatch.setenv("TRACKER_USER", CLIENT)
    monkeypatch.setenv("TRACKER_PASSWORD", SECRET)
    assert rig.pull(ORDERS, "orders", auth=auth).success
    assert rig.table("orders") == rig.truth("orders")
    monkeypatch.setenv("TRACKER_PASSWORD", "wrong-password-4711")
    said = failure(rig.pull(ORDERS, "orders", auth=auth))
    assert "TRACKER_PASSWORD" in said
    assert "4711" not in said


def test_every_window_holds(rig: Rig) -> None:
    limits = {"concurrent": None, "windows": [{"points": 2, "per": "0.4s"}, {"points": 5, "per": "1.2s"}]}
    assert rig.pull(ORDERS, "orders", limits=limits).success
    arrived = [entry.arrived for entry in rig.sandbox.log.entries()]
    assert len(arrived) >= 6
    for points, seconds in ((2, 0.4), (5, 1.2)):
        assert all(later - earlier >= seconds for earlier, later in zip(arrived, arrived[points:], strict=False))


@contextmanager
def tokens(rig: Rig, clock: FakeClock) -> Iterator[ClientCredentials]:
    http = HttpClient("tracker", rig.sandbox.url)
    made = ClientCredentials(http, CLIENT, SECRET, path="/tracker/oauth/token", clock=clock)
    yield made
    made.close()


@pytest.mark.parametrize(("life", "early"), [(3600.0, 360.0), (100.0, 10.0)])
def test_a_token_is_renewed_before_it_expires(rig: Rig, life: float, early: float) -> None:
    vendor: Tracker = rig.vendor
    vendor.token_life = life
    clock = FakeClock()
    with tokens(rig, clock) as auth:
        first = auth.headers()
        clock.sleep(life - early - 1)
        assert auth.headers() == first
        clock.sleep(2)
        assert auth.headers() != first
    assert Counter(entry.endpoint for entry in rig.sandbox.log.entries()).total() == 2
