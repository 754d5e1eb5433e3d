"""A failure is shown in every place with its start, its reason and the command that helps."""

from __future__ import annotations

import json
import re
from pathlib import Path

import dagster as dg
import pytest

from orgdata_dagster.dagster_internals import SWITCH, event_log_class
from orgdata_dagster.dagster_internals.all_succeeded import all_succeeded
from orgdata_dagster.http.circuit_breaker import CircuitBreaker
from orgdata_dagster.orchestration.instance.orphaned_runs import reap
from orgdata_dagster.orchestration.shared_state import shared_state
from orgdata_dagster.overview.asset import overview_of
from orgdata_dagster.overview.failures_in_dagster import failing_assets
from orgdata_dagster.overview.html_page import page
from orgdata_dagster.overview.markdown import metadata_of
from orgdata_dagster.overview.state import Overview
from orgdata_dagster.sandbox.faults import Status
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.integration.project import institution_analytics, today

VENDOR = "institution_analytics"
USERS, EVENTS = f"{VENDOR}/users", f"{VENDOR}/events"


def seen(home: Home) -> Overview:
    loaded = home.loaded()
    with home.instance() as instance:
        return overview_of(instance, loaded.defs.resolve_asset_graph(), loaded.resources)


def everywhere(home: Home) -> list[str]:
    """Each place that shows failures, as text."""
    found = seen(home)
    shown = metadata_of(found).get("failing")
    status = home.shows("status")
    assert status.status == 0, status.everything
    html = re.sub("</?nobr>", "", page(found))
    return [status.out, home.shows("status", "--json").out, html, str(shown.value) if shown else ""]


@pytest.mark.parametrize("internals", ["", "off"])
def test_a_table_whose_last_run_failed(home: Home, sandbox: Sandbox, internals: str) -> None:
    home.set(**{SWITCH: internals})
    assert home.materialize(USERS, today(back=1)).success
    assert not any("events: " in text or "FAILED" in text for text in everywhere(home))
    sandbox.institution_analytics.faults.add(Status(404))
    assert not home.materialize(EVENTS, today(back=1)).success
    again = f"orgdata pull {EVENTS} --resume --from {today(back=1)} --to {today(back=1)}"
    shown = everywhere(home)
    for text in shown:
        assert EVENTS in text
        assert "HTTP 404" in text
        assert again in text
        assert "Check the base URL" in text
    [entry] = json.loads(shown[1])["failed_runs"]
    assert (entry["name"], entry["remedy"], entry["error"]) == (EVENTS, again, True)
    assert home.orgdata(*again.split()[1:]).status == 0, "the command works"
    assert not any("HTTP 404" in text for text in everywhere(home))


def test_the_command_is_the_one_of_the_pull(home: Home, sandbox: Sandbox) -> None:
    sandbox.institution_analytics.faults.add(Status(404))
    assert home.orgdata("pull", USERS, "--from", today(back=1)).status == 1
    [entry] = json.loads(home.shows("status", "--json").out)["failed_runs"]
    assert entry["remedy"] == f"orgdata pull {USERS} --from {today(back=1)} --to {today()} --resume"


def test_a_failure_older_than_the_newest_runs(home: Home, sandbox: Sandbox) -> None:
    sandbox.institution_analytics.faults.add(Status(404))
    assert not home.materialize(EVENTS, today()).success
    assert home.materialize(USERS, today()).success
    with home.instance() as instance:
        [failure] = failing_assets(instance, {USERS: "", EVENTS: ""}, among=1)  # the hourly runs of other tables
    assert failure.name == EVENTS


def test_dagster_is_only_loaded_for_runs_that_did_not_succeed(home: Home, sandbox: Sandbox, tmp_path: Path) -> None:
    assert all_succeeded(tmp_path, [USERS])  # nothing has run
    assert home.materialize(USERS, today(back=1)).success
    with home.instance() as instance:
        folder = Path(instance.root_directory)
    assert all_succeeded(folder, [USERS, EVENTS])
    sandbox.institution_analytics.faults.add(Status(404))
    assert not home.materialize(EVENTS, today()).success
    assert not all_succeeded(folder, [USERS, EVENTS])
    assert all_succeeded(folder, [USERS])
    with (folder / "dagster.yaml").open("a") as file:
        file.write("storage:\n  postgres:\n    postgres_db: {hostname: db}\n")
    assert not all_succeeded(folder, [USERS]), "the SQLite files are those of an earlier storage"


def test_a_vendor_that_refused_the_credentials(home: Home, sandbox: Sandbox) -> None:
    assert sandbox.url
    CircuitBreaker(VENDOR, shared_state()).set("HTTP 401 who are you")
    shown = everywhere(home)
    for text in shown:
        assert "HTTP 401 who are you" in text
        assert f"orgdata doctor --clear {VENDOR}" in text
    assert f"{VENDOR} is STOPPED: no request is sent: on 2" in shown[0]
    [entry] = json.loads(shown[1])["paused"]
    assert (entry["vendor"], entry["until"]) == (VENDOR, None)
    assert entry["since"].startswith("20")
    assert "(no requests now)" in page(seen(home))


def test_a_vendor_that_asked_for_a_pause(home: Home) -> None:
    home.loaded().resources[VENDOR].rate_limit().pause(600)
    for text in everywhere(home):
        assert "as the vendor asked" in text
        assert f"orgdata doctor --clear {VENDOR}" in text
    [failure] = seen(home).failures
    assert (failure.name, failure.error, failure.since) == (VENDOR, False, None)


def test_only_rate_limits_that_were_used_today_are_shown(home: Home, sandbox: Sandbox) -> None:
    home.write_project(institution_analytics=institution_analytics(limits={"per_minute": 100}))
    line = f"rate limit of {VENDOR}: "
    assert line not in home.shows("status").out
    assert home.materialize(USERS, today(back=1)).success
    requests = len(sandbox.log.entries())
    assert f"{line}{requests} of 100 points in 60 s" in home.shows("status").out
    assert len(json.loads(home.shows("status", "--json").out)["rate_limits"]) == 1


@pytest.mark.skipif(event_log_class.batched_event_log() is None, reason="this Dagster has another event log")
@pytest.mark.parametrize("stored", ["sqlite", "postgres"])
def test_the_checks_of_a_failed_run_are_not_failed_checks(
    home: Home, sandbox: Sandbox, request: pytest.FixtureRequest, stored: str
) -> None:
    """They were planned and never evaluated; the UI would show them as failed."""
    if stored == "postgres":
        home.store_on_postgres(request.getfixturevalue("postgres_database"))
    assert home.materialize(USERS, today(back=1)).success
    key = dg.AssetCheckKey(dg.AssetKey(USERS.split("/")), "keys")
    with home.instance() as instance:
        before = instance.event_log_storage.get_asset_check_execution_history(key, limit=5)
    sandbox.institution_analytics.faults.add(Status(404))
    assert not home.materialize(USERS, today()).success
    with home.instance() as instance:
        if stored == "postgres":  # Dagster's own event log, after which the clean-up tidies up
            assert type(instance.event_log_storage).__name__ == "PostgresEventLogStorage"
            reap(instance)
        after = instance.event_log_storage.get_asset_check_execution_history(key, limit=5)
    assert [each.id for each in after] == [each.id for each in before]
    assert len(after) == 1


def test_a_vendor_without_credentials(home: Home) -> None:
    home.set(INSTITUTION_ANALYTICS_API_KEY="")
    off = "not configured: set INSTITUTION_ANALYTICS_BASE_URL, INSTITUTION_ANALYTICS_API_KEY"
    assert f"{VENDOR} is {off}" in home.shows("status").out
    assert json.loads(home.shows("status", "--json").out)["not_configured"] == [{"vendor": VENDOR, "reason": off}]


def test_doctor_says_why_the_last_run_failed(home: Home, sandbox: Sandbox) -> None:
    sandbox.institution_analytics.faults.add(Status(404))
    assert not home.materialize(EVENTS, today(back=1)).success
    examined = home.shows("doctor", "--offline")
    assert examined.status == 1
    assert f"the last run of {EVENTS} failed: {VENDOR}" in examined.out
    assert "HTTP 404" in examined.out
