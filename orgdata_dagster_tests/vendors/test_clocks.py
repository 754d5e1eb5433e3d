"""Vendors whose clock is ahead: nothing may be marked complete for a time in the future."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from orgdata_dagster.http.records import Download
from orgdata_dagster.orchestration.assets.intake import Intake, not_ahead
from orgdata_dagster.orchestration.assets.metadata import SUPERSEDED
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.integration.project import today

USERS = "institution_analytics/users"


def answer(server_time: datetime | None) -> Download:
    return Download(Path("x"), 200, httpx.Headers(), 0, server_time, 0, 1, "/x")


@pytest.mark.parametrize("ahead", [0.0, 0.4, 120.0, 86_400.0, 40_000_000.0])
def test_a_pull_is_never_dated_later_than_now(ahead: float, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    intake = Intake(None, tmp_path, None)  # type: ignore[arg-type]
    intake.count(answer(now + timedelta(seconds=ahead)))
    assert intake.first_answer is not None
    assert now - timedelta(seconds=1) <= intake.first_answer <= datetime.now(UTC)


def test_a_clock_that_is_behind_is_trusted() -> None:
    """The vendor may still write rows with its own, earlier time, so the earlier of the two clocks counts."""
    behind = datetime.now(UTC) - timedelta(hours=1)
    assert not_ahead(behind) == behind


@pytest.mark.parametrize("ahead", [120, 86_400])
def test_coverage_ends_now_and_the_next_pull_is_not_superseded(home: Home, sandbox: Sandbox, ahead: int) -> None:
    sandbox.institution_analytics.clock_ahead = ahead
    wrong = home.materialize(USERS)
    assert wrong.success
    [(until, as_of)] = home.sql("SELECT max(to_instant), max(as_of) FROM _orgdata.coverage")
    assert max(until, as_of) <= datetime.now(UTC)
    [event] = wrong.get_asset_materialization_events()
    watermark = event.step_materialization_data.materialization.metadata.get("watermark")
    assert watermark is None or watermark.value <= datetime.now(UTC).timestamp()
    sandbox.institution_analytics.clock_ahead = 0
    right = home.materialize(USERS)
    [event] = right.get_asset_materialization_events()
    assert SUPERSEDED not in event.step_materialization_data.materialization.metadata
    assert home.sql("SELECT status FROM _orgdata.loads ORDER BY loaded_at") == [("landed",), ("landed",)]


def test_a_superseded_pull_says_so(home: Home, sandbox: Sandbox) -> None:
    """Another machine has landed a snapshot that is a little newer than this pull."""
    assert sandbox.url
    yesterday = today(back=1)
    assert home.materialize(USERS, yesterday).success
    with home.warehouse.writing() as connection:
        connection.execute("UPDATE _orgdata.loads SET as_of = now()")
    sandbox.institution_analytics.clock_ahead = -3600
    done = home.orgdata("pull", USERS, "--from", yesterday, "--to", yesterday, "--json")
    assert done.status == 0, done.everything
    assert f'"superseded": [\n      "{yesterday}"\n    ]' in done.out
    assert "superseded: 1 of 1 partition" in done.err
    assert "1 not stored (the warehouse has newer snapshots)" in done.err
