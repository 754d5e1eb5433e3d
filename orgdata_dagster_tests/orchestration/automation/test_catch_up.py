"""The sensor `catch_up`: which partitions it pulls, in which batches, with which pauses."""

import json
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from orgdata_dagster import settings
from orgdata_dagster.cli import loaded_project
from orgdata_dagster.http.circuit_breaker import CircuitBreaker
from orgdata_dagster.orchestration.automation.catch_up import AssetAttempts, Policy, catch_up_sensor, next_batch
from orgdata_dagster.orchestration.tags import RANGE_END, RANGE_START
from orgdata_dagster.sandbox.faults import Status
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster.state import FileState
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.integration.project import today
from orgdata_dagster_tests.ticks import tick_sensor

USERS = dg.AssetKey(["institution_analytics", "users"])
PATIENCE = Policy(pause=timedelta(minutes=10), tries=2, batch=3, runs=1)


class Daemon:
    """What the daemon does with the sensor: it keeps the cursor, and here the runs really run."""

    def __init__(self, home: Home) -> None:
        found = loaded_project.load()
        self.defs = found.defs
        self.home = home
        self.cursor: str | None = None
        self.vendor = found.resources["institution_analytics"]
        self.sensor = catch_up_sensor([self.vendor], PATIENCE)
        self.last: dg.SensorResult

    def tick(self) -> list[tuple[str, str, str]]:
        """Evaluate; the runs asked for, as asset, first and last day."""
        with self.home.instance() as instance:
            found = tick_sensor(instance, self.defs, self.sensor, self.cursor)
        self.last, self.cursor = found, found.cursor
        return [
            (key.path[-1], request.tags[RANGE_START], request.tags[RANGE_END])
            for request in found.run_requests or ()
            for key in request.asset_selection or ()
        ]

    def later(self) -> None:
        """Let every pause be over."""
        state = json.loads(self.cursor or "{}")
        self.cursor = json.dumps({name: {**attempts, "after": ""} for name, attempts in state.items()})

    def pause(self, asset: str) -> float:
        """Minutes until the asset may be asked for again."""
        after = json.loads(self.cursor or "{}")[asset]["after"]
        return round((datetime.fromisoformat(after) - datetime.now(UTC)).total_seconds() / 60)

    def run(self, first: str, last: str) -> bool:
        """Run the users for days."""
        with self.home.instance() as instance:
            return self.defs.resolve_implicit_global_asset_job_def().execute_in_process(
                instance=instance,
                asset_selection=[USERS],
                tags={RANGE_START: first, RANGE_END: last},
                raise_on_error=False,
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            ).success  # fmt: skip


@pytest.fixture
def daemon(home: Home, sandbox: Sandbox) -> Daemon:
    assert sandbox.url
    return Daemon(home)


def test_missing_partitions_are_requested_in_batches_until_there_are_none(daemon: Daemon, sandbox: Sandbox) -> None:
    assert daemon.tick() == []  # partitions that were never requested are not missing
    assert "no partition is missing" in str(daemon.last.skip_reason)
    assert daemon.run(today(back=6), today(back=6))
    assert daemon.run(today(back=1), today())
    # 5, 4, 3 and 2 days ago are missing: a batch of three, then the rest
    assert daemon.tick() == [("users", today(back=5), today(back=3))]
    assert daemon.tick() == []  # in its pause
    assert "waiting for the next attempt" in str(daemon.last.skip_reason)
    assert daemon.run(today(back=5), today(back=3))
    assert daemon.tick() == [("users", today(back=2), today(back=2))]
    # it fails: tried again after a pause, then given up, once and where everybody looks
    sandbox.institution_analytics.faults.add(Status(500), times=3)
    assert not daemon.run(today(back=2), today(back=2))
    assert daemon.pause("institution_analytics/users") == 10
    daemon.later()
    assert daemon.tick() == [("users", today(back=2), today(back=2))]
    assert daemon.pause("institution_analytics/users") == 40
    daemon.later()
    assert daemon.tick() == []
    [event] = daemon.last.asset_events
    assert isinstance(event, dg.AssetCheckEvaluation)
    assert (event.asset_key, event.check_name, event.passed) == (USERS, "coverage", False)
    assert today(back=2) in (event.description or "")
    daemon.later()
    assert daemon.tick() == []
    assert not daemon.last.asset_events
    assert "given up" in str(daemon.last.skip_reason)
    # pulled by hand, it is forgotten
    assert daemon.run(today(back=2), today(back=2))
    assert daemon.tick() == []
    assert "no partition is missing" in str(daemon.last.skip_reason)


def test_a_failed_run_of_today_counts_as_missing_and_causes_no_run_storm(daemon: Daemon, sandbox: Sandbox) -> None:
    assert daemon.run(today(back=1), today())
    assert daemon.tick() == []  # today is never whole, and not missing
    sandbox.institution_analytics.faults.add(Status(500), times=3)
    assert not daemon.run(today(), today())
    with daemon.home.instance() as instance:  # a run that is just about to begin
        starting = instance.create_run_for_job(
            daemon.defs.resolve_implicit_global_asset_job_def(),
            asset_selection=frozenset({USERS}),
            status=dg.DagsterRunStatus.STARTING,
        )
    assert daemon.tick() == []
    with daemon.home.instance() as instance:
        instance.delete_run(starting.run_id)
    CircuitBreaker("institution_analytics", FileState(settings.home())).set("HTTP 401")
    assert daemon.tick() == []
    CircuitBreaker("institution_analytics", FileState(settings.home())).clear()
    # a pause that the vendor asked for, longer than any that is kept: a run would fail at once, and count as an attempt
    daemon.vendor.rate_limit().pause(600, requested=86_400)
    assert daemon.tick() == []
    assert "it asked for a pause: 10 min" in str(daemon.last.skip_reason)
    daemon.vendor.rate_limit().resume()
    assert daemon.tick() == [("users", today(), today())]
    assert json.loads(daemon.cursor or "{}")["institution_analytics/users"]["tries"] == 1
    assert daemon.tick() == []


@pytest.mark.parametrize(
    ("before", "missing", "tries", "paused"),
    [
        ("", "1 2 3 4", 0, False),  # new
        ("1 2 3", "1 2 3 4", 1, True),  # nothing landed
        ("1 2 3", "2 3", 0, False),  # something landed
        ("2", "1 2", 1, True),  # it became more: the pause holds
        ("1 2", "7 8", 0, False),  # all of it landed, others are missing
    ],
)
def test_when_the_attempts_start_again(before: str, missing: str, tries: int, paused: bool) -> None:
    days = {number: f"2026-11-0{number}" for number in "12345678"}
    attempts = AssetAttempts([days[n] for n in before.split()], 1 if before else 0, "later" if before else "")
    assert next_batch(attempts, [days[n] for n in missing.split()], patience=PATIENCE, whole=False)
    assert (attempts.tries, bool(attempts.after)) == (tries, paused)
    assert len(attempts.batch) <= 3
