"""The overview: its content, failures since when, the page, and the sensor that refreshes it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import dagster as dg
import pytest

from orgdata_dagster.orchestration.resources import WarehouseResource
from orgdata_dagster.overview import asset
from orgdata_dagster.overview.asset import OVERVIEW, overview_of, overview_sensor
from orgdata_dagster.overview.html_page import page
from orgdata_dagster.overview.state import Overview
from orgdata_dagster.sandbox.faults import Status
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster_tests.dagster_internals.for_tests import create_run_for_test
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.integration.project import today
from orgdata_dagster_tests.ticks import tick_sensor

VENDOR = "institution_analytics"


def seen(home: Home) -> Overview:
    loaded = home.loaded()
    with home.instance() as instance:
        return overview_of(instance, loaded.defs.resolve_asset_graph(), loaded.resources)


class _Page(HTMLParser):
    """What a browser would load from elsewhere, and the cells of the tables."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elsewhere: list[str] = []
        self.cells: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elsewhere += [value or "" for name, value in attrs if name in ("src", "href") and "#" not in (value or "")]
        if tag == "td":
            self.cells.append("")

    def handle_data(self, data: str) -> None:
        if self.cells:
            self.cells[-1] += data


def test_a_project_that_was_never_pulled(home: Home) -> None:
    found = seen(home)
    [vendor] = found.vendors
    assert (vendor.name, vendor.rows, vendor.complete_until, vendor.today.requests) == (VENDOR, 0, None, 0)
    assert found.failures == []
    assert "nothing fails" in page(found)


def test_it_shows_pulled_tables_and_failures_since_when(home: Home, sandbox: Sandbox) -> None:
    assert home.materialize(f"{VENDOR}/users", today(back=3), today(back=2)).success
    assert home.materialize(f"{VENDOR}/users", today()).success
    ended = []
    for _ in range(2):
        sandbox.institution_analytics.faults.add(Status(404))
        assert not home.materialize(f"{VENDOR}/events", today()).success
        ended.append(datetime.now(UTC))
    found = seen(home)
    [vendor] = found.vendors
    requests = sandbox.log.entries()
    assert (vendor.today.requests, vendor.today.failed) == (len(requests), 2)
    assert vendor.gaps == 1  # yesterday
    assert vendor.complete_until is None  # a table has nothing yet
    [failure] = found.failures
    assert failure.name == f"{VENDOR}/events"
    assert "404" in failure.what
    assert failure.since <= ended[0]  # the first of both

    text = page(found)
    read = _Page(text)
    assert read.elsewhere == []  # the file is all there is
    assert f"{VENDOR}/events" in read.cells
    assert "prefers-color-scheme: dark" in text
    assert not re.search(r"<script|@import|url[(](?!#)", text)

    assert home.materialize(f"{VENDOR}/events", today()).success
    assert seen(home).failures == []


def test_a_run_that_failed_outside_its_steps_says_why(home: Home) -> None:
    with home.instance() as instance:
        key = dg.AssetKey([VENDOR, "users"])
        run = create_run_for_test(instance, asset_selection=frozenset([key]))
        instance.report_run_failed(run, "its process was killed")
    [failure] = seen(home).failures
    assert (failure.name, failure.what) == (f"{VENDOR}/users", "its process was killed")


def test_the_command_writes_the_page(home: Home, sandbox: Sandbox) -> None:
    assert home.materialize(f"{VENDOR}/users", today(back=1)).success
    users = len(sandbox.institution_analytics.data_sets["users"].truth())
    assert users
    file = home.folder.parent / "status.html"
    done = home.shows("status", "--html", str(file))
    assert (done.status, done.out.strip()) == (0, f"wrote {file}"), done.everything
    assert f"{VENDOR}.users" in _Page(file.read_text()).cells


def ticked(home: Home, cursor: str | None, **options: timedelta) -> dg.SensorResult:
    loaded = home.loaded()
    with home.instance() as instance:
        return tick_sensor(instance, loaded.defs, overview_sensor(loaded.resources, **options), cursor)


def test_the_sensor_only_refreshes_after_a_change(
    home: Home, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sandbox.url
    first = ticked(home, None)
    [event] = first.asset_events
    assert event.asset_key == OVERVIEW
    shown = event.metadata
    assert list(shown)[:4] == ["summary", "as of", "vendors", "tables of institution_analytics"]
    assert all(len(str(value.value)) < 1000 for value in shown.values())  # or the UI would hide it behind a click

    with monkeypatch.context() as patch:
        patch.setattr(asset, "overview_of", lambda *_: pytest.fail("nothing has changed"))
        assert ticked(home, first.cursor).skip_reason
    assert home.materialize(f"{VENDOR}/users", today(back=1)).success
    with monkeypatch.context() as patch:
        patch.setattr(asset, "overview_of", lambda *_: pytest.fail("the last refresh was a moment ago"))
        assert ticked(home, first.cursor).skip_reason
    [event] = ticked(home, first.cursor, at_most_every=timedelta(0)).asset_events
    assert f"tables of {VENDOR}" in event.metadata


def test_it_is_in_every_project_and_is_not_pulled(home: Home) -> None:
    assert home.folder
    loaded = home.loaded()
    assert OVERVIEW in loaded.defs.resolve_asset_graph().get_all_asset_keys()
    assert OVERVIEW not in loaded.keys
    assert "orgdata.overview" not in loaded.outline().tables
    assert isinstance(loaded.resources["warehouse"], WarehouseResource)
