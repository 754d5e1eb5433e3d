"""Alerts are sent when a problem begins and when it ends: over real HTTP, once each, per vendor, without secrets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

from orgdata_dagster import settings
from orgdata_dagster.cli import orgdata
from orgdata_dagster.http import redaction
from orgdata_dagster.orchestration.automation.alerts import channels, heartbeat, quiet_hours
from orgdata_dagster.sandbox.accutics import jwt
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.orchestration.automation.problems import (
    CONTACTS,
    HOUR,
    ORDERS,
    SECRET,
    Plant,
    World,
    a_failed_run,
    a_failing_check,
    a_failing_sensor,
    a_gap_that_was_given_up,
    a_new_token,
    a_pause,
    a_token_that_expires,
    an_overdue_table,
    cleared,
    it_is_complete_again,
    it_works_again,
    refused_credentials,
    runs_succeed,
    the_check_passes,
    the_gap_is_filled,
    the_pause_is_lifted,
    too_many_rejections,
)
from orgdata_dagster_tests.orchestration.automation.receiver import Receiver


@pytest.fixture
def receiver(home: Home) -> Iterator[Receiver]:
    with Receiver() as receiver:
        home.set(**{channels.URL: f"json://{receiver.address}/{SECRET}"})
        home.set(ACCUTICS_BASE_URL="http://127.0.0.1:9", ACCUTICS_API_TOKEN=jwt(90 * 86_400, now=datetime.now(UTC)))
        yield receiver


@pytest.fixture
def world(home: Home, receiver: Receiver) -> World:
    return World(home, receiver)


@pytest.mark.parametrize(
    ("begin", "end", "subject", "text"),
    [
        (a_failed_run, runs_succeed, "octolis/contacts: failed run", "HTTP 500 with key [redacted]. Run it again."),
        (
            a_failing_check,
            the_check_passes,
            "octolis/contacts volume: failing check",
            "the check volume fails: 12 rows",
        ),
        (too_many_rejections, the_check_passes, "octolis/contacts: too many rejected rows", "rejected: 9 rows"),
        (an_overdue_table, it_is_complete_again, "octolis/contacts: overdue table", "more than 2.5 hours ago"),
        (a_gap_that_was_given_up, the_gap_is_filled, "octolis/contacts: gap", "--from 2026-03-01 --to 2026-03-02"),
        (a_pause, the_pause_is_lifted, "accutics: pause", "orgdata doctor --clear accutics lifts the pause"),
        (refused_credentials, cleared, "accutics: pause", "answered HTTP 401"),
        (a_token_that_expires, a_new_token, "accutics: token that expires soon", "(in 2 days)"),
        (a_failing_sensor, it_works_again, "octolis_changes: failing sensor", "no answer"),
    ],
)
def test_one_message_at_the_beginning_and_one_at_the_end(
    world: World, begin: Plant, end: Plant, subject: str, text: str
) -> None:
    assert world.tick() == []
    begin(world)
    [message] = world.tick()
    assert message.startswith(f"orgdata: {subject}")
    assert " began\n" in message
    assert text in message
    assert SECRET not in message
    assert world.tick() == world.tick() == []  # no further message while it lasts
    end(world)
    [message] = world.tick()
    assert message.startswith(f"orgdata: {subject}")
    assert " ended\n" in message
    assert "after 3 min" in message
    assert world.tick() == []


def test_problems_that_begin_together_are_one_message_per_vendor(world: World) -> None:
    world.home.set(ORGDATA_UI_URL="https://dagster.example.org/")
    world.failing = {CONTACTS, ORDERS}
    world.run(CONTACTS, ORDERS)
    a_failing_sensor(world)
    a_pause(world)
    accutics, octolis = sorted(world.tick())
    assert accutics.startswith("orgdata: accutics: pause began")
    assert octolis.startswith("orgdata: octolis: 3 problems began\n")
    assert octolis.count("BEGAN") == 3
    assert "https://dagster.example.org/runs/" in octolis
    runs_succeed(world)
    [octolis] = world.tick()
    assert octolis.startswith("orgdata: octolis/contacts: failed run ended")


def test_a_message_that_failed_is_sent_again_only_to_that_channel(world: World) -> None:
    world.home.set(**{f"{channels.URL}_SECOND": "json://127.0.0.1:9/nobody"})
    a_pause(world)
    world.receiver.refuse = 1
    assert world.tick() == []
    assert len(world.tick()) == 1
    assert world.tick() == []
    world.home.set(**{f"{channels.URL}_SECOND": f"json://{world.receiver.address}/second"})
    assert len(world.tick()) == 1


def test_a_channel_that_does_not_answer_is_tried_once_per_tick(world: World) -> None:
    a_pause(world)
    a_failing_sensor(world)
    world.receiver.refuse = 1
    assert world.tick() == []  # two vendors, one attempt
    assert len(world.tick()) == 2


def test_nothing_is_reported_while_a_run_is_retried_or_in_progress(world: World) -> None:
    world.failing = {CONTACTS}
    world.run(CONTACTS, tags={"dagster/will_retry": "true"})
    assert world.tick() == []
    a_failed_run(world)
    assert len(world.tick()) == 1
    with world.home.instance() as instance:
        job = world.defs.resolve_implicit_global_asset_job_def().get_subset(asset_selection={CONTACTS})
        run = instance.create_run_for_job(job, asset_selection=frozenset({CONTACTS}))
        assert world.tick() == []
        instance.report_run_failed(run, "The process that worked on this run is gone.")
    assert world.tick() == []  # it fails still


def test_problems_of_a_kind_that_cannot_be_checked_stay_unchanged(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    an_overdue_table(world)
    a_pause(world)
    assert len(world.tick()) == 2
    with monkeypatch.context() as broken:
        broken.setenv(settings.WAREHOUSE, "/dev/null")
        the_pause_is_lifted(world)
        [message] = world.tick()
        assert message.startswith("orgdata: accutics: pause ended")
    assert world.tick() == []


def test_quiet_hours_delay_messages(world: World) -> None:
    world.home.set(**{quiet_hours.VARIABLE: "11:00-13:30 Europe/Berlin"})  # until 12:30 UTC
    a_pause(world)
    a_failing_sensor(world)
    assert world.tick() == []
    it_works_again(world)  # without a message
    world.now += HOUR
    [message] = world.tick()
    assert message.startswith("orgdata: accutics: pause began")
    the_pause_is_lifted(world)
    world.home.set(**{quiet_hours.VARIABLE: "at night"})
    assert len(world.tick()) == 1  # with malformed quiet hours, messages are still sent


@pytest.mark.parametrize(
    ("text", "quiet"),
    [("22:00-07:00", False), ("11:00-12:01", True), ("12:00-12:00", False), ("13:00 - 12:30", True), ("", False)],
)
def test_the_quiet_hours_of_a_day(monkeypatch: pytest.MonkeyPatch, text: str, quiet: bool) -> None:
    monkeypatch.setenv(quiet_hours.VARIABLE, text)
    assert quiet_hours.is_quiet(datetime(2026, 3, 4, 12, tzinfo=UTC)) is quiet
    for wrong in ("at night", "22-7", "25:00-07:00", "22:00-07:00 Nowhere"):
        monkeypatch.setenv(quiet_hours.VARIABLE, wrong)
        with pytest.raises(settings.SettingsError, match=quiet_hours.VARIABLE):
            quiet_hours.is_quiet(datetime(2026, 3, 4, 12, tzinfo=UTC))


def test_a_heartbeat_is_sent_while_all_is_well_and_another_if_an_alert_cannot_be_sent(world: World) -> None:
    world.home.set(**{heartbeat.VARIABLE: f"http://{world.receiver.address}/ping/{SECRET}"})
    world.tick()
    assert world.receiver.pings == [f"/ping/{SECRET}"]
    world.home.set(**{channels.URL: "json://127.0.0.1:9/nobody"})
    a_pause(world)
    world.tick()
    assert world.receiver.pings[1].startswith(f"/ping/{SECRET}/fail: {channels.URL}: not sent")


def test_without_urls_nothing_is_checked(world: World) -> None:
    world.home.set(**{channels.URL: ""})
    a_pause(world)
    assert world.tick() == []


def test_urls_are_redacted_but_not_the_words_in_them(home: Home) -> None:
    urls = {
        "": "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#general",
        "_MAIL": "mailtos://robot:p%40ss-word@mail.example.org?to=data@example.org",
        "_HOOK": "https://hooks.example.org/services/notifications/0123456789abcdef",
    }
    home.set(**{f"{channels.URL}{name}": url for name, url in urls.items()})
    assert [*channels.channels()] == [f"{channels.URL}{name}" for name in sorted(urls)]
    text = redaction.redact(f"{urls} T1JJ3T3L2 TIiajkdnlazkcOXrIdevi7FQ p@ss-word p%40ss-word 0123456789abcdef")
    for secret in ("T1JJ3T3L2", "TIiajkdnlazkcOXrIdevi7FQ", "ss-word", "0123456789abcdef"):
        assert secret not in text
    assert "/services/" not in text
    plain = "services and notifications of mail.example.org in #general"
    assert redaction.redact(plain) == plain


@contextmanager
def without_apprise(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setattr(channels, "find_spec", lambda _: None)
        yield


def test_the_command_tests_every_url(home: Home, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    home.set(**{heartbeat.VARIABLE: f"http://{receiver.address}/ping", f"{channels.URL}_BAD": "nothing://known"})
    done = CliRunner().invoke(orgdata, ["alerts", "test", "--json"])
    tried = {each["variable"]: each["error"] for each in json.loads(done.stdout)["tried"]}
    assert done.exit_code == 1
    assert tried[channels.URL] is tried[heartbeat.VARIABLE] is None
    assert "is not a URL that Apprise knows" in tried[f"{channels.URL}_BAD"]
    assert receiver.take()[0].startswith("orgdata: test")
    assert receiver.pings == ["/ping"]
    home.set(**{f"{channels.URL}_BAD": ""})
    done = CliRunner().invoke(orgdata, ["alerts", "test"])
    assert (done.exit_code, done.stdout) == (0, f"{channels.URL}: sent\n{heartbeat.VARIABLE}: sent\n")
    with without_apprise(monkeypatch):
        done = CliRunner().invoke(orgdata, ["alerts", "test"])
        assert done.exit_code == 1
        assert "pip install 'orgdata[alerts]'" in done.stdout
