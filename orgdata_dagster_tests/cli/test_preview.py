"""`orgdata preview`: at most two requests, for every vendor, and nothing is stored."""

from __future__ import annotations

import re

import pytest

from orgdata_dagster import settings
from orgdata_dagster.cli.preview import find, preview
from orgdata_dagster.sandbox import tracker
from orgdata_dagster.sandbox.environment import environment
from orgdata_dagster.sandbox.limits import UNLIMITED
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.vendors.rest.shapes import HEAD

LIST = """
    - name: orders
      path: /orders
      records: items
      paginator: {type: offset, parameter: offset, stop: total, total: total}
      key: [id]
"""
TABLES = [
    "institution_analytics/users",
    "channel_reports/reports_read",
    "accutics/records",
    "octolis/contacts",
    "together/users",
]


@pytest.mark.parametrize("table", TABLES)
def test_a_table_of_every_vendor_is_previewed_with_two_requests(
    home: Home, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    monkeypatch.setenv(settings.PROJECT, "")  # the shipped project
    with Sandbox() as sandbox:
        variables = environment(sandbox.url)
        home.set(**variables, ORGDATA_TEST_SERVER_PACE="0.01")
        made = preview(*find(table))
        assert not made.error, made.error
        assert 1 <= len(sandbox.log.entries()) <= 2
        assert len(made.requests) == len(sandbox.log.entries())
        assert made.columns
        shown = f"{made.requests} {made.shape}"
        assert not [
            name for name, value in variables.items() if name.endswith(("KEY", "TOKEN", "CLIENT_ID")) and value in shown
        ]
    assert not home.warehouse.exists


def test_it_says_what_it_waits_for_and_until_when(home: Home) -> None:
    """The second preview of a slow vendor once waited for a minute without a message."""
    with Sandbox(tracker.demo(days=1, rows=30, limits=UNLIMITED)) as sandbox:
        home.set(TRACKER_BASE_URL=f"{sandbox.url}/tracker", TRACKER_TOKEN=tracker.TOKEN)
        limited = HEAD.replace("windows: []", "windows: [{points: 1, per: 2.1s}]").replace("START", "2026-01-01")
        home.write_project(tracker=limited + LIST)
        done = home.orgdata("preview", "tracker/orders")
    assert done.status == 0, done.everything
    told = r"tracker/orders: waiting for the rate limit until \d\d:\d\d:\d\d UTC \(2 s\)\n"
    assert re.fullmatch(told, done.err)
    assert "waiting" not in done.out
