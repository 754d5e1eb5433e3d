"""`orgdata preview`: at most two requests, for every vendor, and nothing is stored."""

from __future__ import annotations

import pytest

from orgdata_dagster import settings
from orgdata_dagster.cli.preview import find, preview
from orgdata_dagster.sandbox.environment import environment
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster_tests.integration.home import Home

TABLES = [
    "institution_analytics/users",
    "channel_reports/reports_read",
    "accutics/records",
    "octolis/contacts",
    "together/users",
]


@pytest.mark.parametrize("table", TABLES)
def test_a_table_of_every_vendor_is_looked_at_with_two_requests(
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
