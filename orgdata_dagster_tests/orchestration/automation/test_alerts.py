"""People are told when a problem begins and when it ends: over real HTTP, once each, per vendor, without a secret."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from click.testing import CliRunner
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteInstigatorOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    SensorInstigatorData,
    TickData,
    TickStatus,
)
from dagster._utils.error import SerializableErrorInfo

from orgdata_dagster import settings
from orgdata_dagster.cli import orgdata
from orgdata_dagster.http import redaction
from orgdata_dagster.http.circuit_breaker import CircuitBreaker
from orgdata_dagster.orchestration.automation.alerts import channels, heartbeat, quiet_hours
from orgdata_dagster.orchestration.automation.alerts.sensor import alerts_sensor
from orgdata_dagster.orchestration.checks.freshness import Allowed
from orgdata_dagster.orchestration.resources import WarehouseResource
from orgdata_dagster.orchestration.shared_state import shared_state
from orgdata_dagster.sandbox.accutics import jwt
from orgdata_dagster.vendors.accutics.resource import AccuticsResource
from orgdata_dagster.warehouse.ledger import schema
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.orchestration.automation.receiver import Receiver

SECRET = "sk-very-secret-4711"
CONTACTS, ORDERS = dg.AssetKey(["octolis", "contacts"]), dg.AssetKey(["octolis", "orders"])
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
HOUR = timedelta(hours=1)


class World:
    """A project of two assets whose runs and checks fail as told, the daemon that evaluates the sensor, and a clock."""

    def __init__(self, home: Home, receiver: Receiver) -> None:
        self.home, self.receiver = home, receiver
        self.failing: set[dg.AssetKey] = set()
        self.check_fails = self.rejects = False
        self.now = datetime(2026, 3, 4, 12, tzinfo=UTC)
        self.cursor: str | None = None
        self.vendor = AccuticsResource.from_variables(account="")
        self.sensor = alerts_sensor([self.vendor], lambda: self.now)
        self.defs = dg.Definitions(
            assets=[self._asset(CONTACTS), self._asset(ORDERS)],
            sensors=[
                self.sensor,
                dg.SensorDefinition(name="octolis_changes", evaluation_fn=lambda _: None, job_name="x"),
            ],
            jobs=[dg.JobDefinition(name="x", graph_def=dg.GraphDefinition(name="x"))],
            resources={"warehouse": WarehouseResource()},
        )

    def _asset(self, key: dg.AssetKey) -> dg.AssetsDefinition:
        checks = [dg.AssetCheckSpec(name, asset=key) for name in ("volume", "rejected")]
        fresh = Allowed(1.5 * HOUR, 2.5 * HOUR).spec(key)

        @dg.asset(key=key, check_specs=[*checks, fresh])
        def asset() -> dg.MaterializeResult:
            if key in self.failing:
                redaction.register(SECRET)
                raise dg.Failure(description=f"octolis /records: HTTP 500 with key {SECRET}. Run it again.")
            level = dg.AssetCheckSeverity.ERROR if self.rejects else dg.AssetCheckSeverity.WARN
            return dg.MaterializeResult(
                check_results=[
                    dg.AssetCheckResult(check_name="volume", passed=not self.check_fails, description="12 rows"),
                    dg.AssetCheckResult(check_name="rejected", passed=False, severity=level, description="9 rows"),
                    dg.AssetCheckResult(check_name="freshness", passed=True),
                ]
            )

        return asset

    def run(self, *keys: dg.AssetKey, tags: dict[str, str] | None = None) -> None:
        """Run assets in one run."""
        with self.home.instance() as instance:
            done = self.defs.resolve_implicit_global_asset_job_def().execute_in_process(
                instance=instance, asset_selection=list(keys), raise_on_error=False, run_config=QUIET
            )
            if tags:
                instance.add_run_tags(done.run_id, tags)  # as Dagster does when the run has failed

    def tick(self) -> list[str]:
        """Evaluate the sensor as the daemon does; the alerts that arrived."""
        self.now += timedelta(minutes=1)
        with (
            self.home.instance() as instance,
            dg.build_sensor_context(
                instance,
                cursor=self.cursor,
                resources={"warehouse": WarehouseResource()},
                repository_def=self.defs.get_repository_def(),
            ) as context,
        ):
            result = self.sensor(context)
        assert isinstance(result, dg.SensorResult)
        self.cursor = result.cursor
        return self.receiver.take()

    def covered(self, table: str, until: datetime) -> None:
        """The ledger says that a table is complete until then."""
        row = {"schema_name": "octolis", "table_name": table, "complete": True, "from_instant": until - HOUR}
        with self.home.warehouse.writing() as connection:
            schema.create(connection)
            connection.execute("DELETE FROM _orgdata.coverage WHERE table_name = ?", [table])
            schema.insert(connection, "coverage", [{**row, "to_instant": until}])

    def instigator(self, name: str, cursor: str = "", status: TickStatus | None = None, error: str = "") -> None:
        """The daemon's record of a sensor: its cursor, and how its last tick ended."""
        location = RegisteredCodeLocationOrigin("orgdata")
        origin = RemoteInstigatorOrigin(RemoteRepositoryOrigin(location, "__repository__"), name)
        data = SensorInstigatorData(cursor=cursor)
        state = InstigatorState(origin, InstigatorType.SENSOR, InstigatorStatus.DECLARED_IN_CODE, data)
        with self.home.instance() as instance:
            if instance.get_instigator_state(state.instigator_origin_id, state.selector_id):
                instance.update_instigator_state(state)
            else:
                instance.add_instigator_state(state)
            if status is not None:
                failed = SerializableErrorInfo(error, [], "ValueError") if error else None
                at = (state.instigator_origin_id, name, InstigatorType.SENSOR, status, datetime.now(UTC).timestamp())
                instance.create_tick(TickData(*at, error=failed, selector_id=state.selector_id))


@pytest.fixture
def receiver(home: Home) -> Iterator[Receiver]:
    with Receiver() as receiver:
        home.set(**{channels.URL: f"json://{receiver.address}/{SECRET}"})
        home.set(ACCUTICS_BASE_URL="http://127.0.0.1:9", ACCUTICS_API_TOKEN=jwt(90 * 86_400, now=datetime.now(UTC)))
        yield receiver


@pytest.fixture
def world(home: Home, receiver: Receiver) -> World:
    return World(home, receiver)


Plant = Callable[[World], None]


def a_failed_run(world: World) -> None:
    world.failing = {CONTACTS}
    world.run(CONTACTS, ORDERS)


def runs_succeed(world: World) -> None:
    world.failing = set()
    world.run(CONTACTS)


def a_failing_check(world: World) -> None:
    world.check_fails = True
    world.run(CONTACTS)


def the_check_passes(world: World) -> None:
    world.check_fails = world.rejects = False
    world.run(CONTACTS)


def too_many_rejections(world: World) -> None:
    world.rejects = True
    world.run(CONTACTS)


def an_overdue_table(world: World) -> None:
    world.covered("contacts", world.now - 3 * HOUR)
    world.covered("orders", world.now - HOUR)


def it_is_complete_again(world: World) -> None:
    world.covered("contacts", world.now)


def a_gap_that_was_given_up(world: World) -> None:
    asked = {"batch": [], "tries": 0, "after": "", "given_up": ["2026-03-01", "2026-03-02"]}
    world.instigator("catch_up", json.dumps({"octolis/contacts": asked}))


def the_gap_is_filled(world: World) -> None:
    world.instigator("catch_up", json.dumps({}))


def a_pause(world: World) -> None:
    world.vendor.rate_limit().pause(900)


def the_pause_is_lifted(world: World) -> None:
    world.vendor.rate_limit().resume()


def refused_credentials(_: World) -> None:
    CircuitBreaker("accutics", shared_state()).set("HTTP 401")


def cleared(_: World) -> None:
    CircuitBreaker("accutics", shared_state()).clear()


def a_token_that_expires(world: World) -> None:
    world.home.set(ACCUTICS_API_TOKEN=jwt(3 * 86_400, now=datetime.now(UTC)))


def a_new_token(world: World) -> None:
    world.home.set(ACCUTICS_API_TOKEN=jwt(90 * 86_400, now=datetime.now(UTC)))


def a_failing_sensor(world: World) -> None:
    world.instigator("octolis_changes", status=TickStatus.FAILURE, error="ValueError: no answer\n")


def it_works_again(world: World) -> None:
    world.instigator("octolis_changes", status=TickStatus.SKIPPED)


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
    [told] = world.tick()
    assert told.startswith(f"orgdata: {subject}")
    assert " began\n" in told
    assert text in told
    assert SECRET not in told
    assert world.tick() == world.tick() == []  # while it lasts nothing more is said
    end(world)
    [told] = world.tick()
    assert told.startswith(f"orgdata: {subject}")
    assert " ended\n" in told
    assert "after 3 min" in told
    assert world.tick() == []


def test_what_begins_together_is_one_message_per_vendor(world: World) -> None:
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


def test_a_message_that_did_not_arrive_is_sent_again_to_that_channel_alone(world: World) -> None:
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


def test_nothing_is_decided_while_a_run_is_retried_or_under_way(world: World) -> None:
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


def test_a_kind_that_cannot_be_looked_at_stays_as_it_was(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    an_overdue_table(world)
    a_pause(world)
    assert len(world.tick()) == 2
    with monkeypatch.context() as broken:
        broken.setenv(settings.WAREHOUSE, "/dev/null")
        the_pause_is_lifted(world)
        [told] = world.tick()
        assert told.startswith("orgdata: accutics: pause ended")
    assert world.tick() == []


def test_quiet_hours_hold_messages_back(world: World) -> None:
    world.home.set(**{quiet_hours.VARIABLE: "11:00-13:30 Europe/Berlin"})  # until 12:30 UTC
    a_pause(world)
    a_failing_sensor(world)
    assert world.tick() == []
    it_works_again(world)  # and nobody hears of it
    world.now += HOUR
    [told] = world.tick()
    assert told.startswith("orgdata: accutics: pause began")
    the_pause_is_lifted(world)
    world.home.set(**{quiet_hours.VARIABLE: "at night"})
    assert len(world.tick()) == 1  # malformed ones keep nobody from being told


@pytest.mark.parametrize(
    ("text", "quiet"),
    [("22:00-07:00", False), ("11:00-12:01", True), ("12:00-12:00", False), ("13:00 - 12:30", True), ("", False)],
)
def test_the_quiet_part_of_a_day(monkeypatch: pytest.MonkeyPatch, text: str, quiet: bool) -> None:
    monkeypatch.setenv(quiet_hours.VARIABLE, text)
    assert quiet_hours.is_quiet(datetime(2026, 3, 4, 12, tzinfo=UTC)) is quiet
    for wrong in ("at night", "22-7", "25:00-07:00", "22:00-07:00 Nowhere"):
        monkeypatch.setenv(quiet_hours.VARIABLE, wrong)
        with pytest.raises(settings.SettingsError, match=quiet_hours.VARIABLE):
            quiet_hours.is_quiet(datetime(2026, 3, 4, 12, tzinfo=UTC))


def test_a_heartbeat_while_all_is_well_and_another_when_an_alert_cannot_be_sent(world: World) -> None:
    world.home.set(**{heartbeat.VARIABLE: f"http://{world.receiver.address}/ping/{SECRET}"})
    world.tick()
    assert world.receiver.pings == [f"/ping/{SECRET}"]
    world.home.set(**{channels.URL: "json://127.0.0.1:9/nobody"})
    a_pause(world)
    world.tick()
    assert world.receiver.pings[1].startswith(f"/ping/{SECRET}/fail: {channels.URL}: not sent")


def test_without_urls_nothing_is_looked_at(world: World) -> None:
    world.home.set(**{channels.URL: ""})
    a_pause(world)
    assert world.tick() == []


def test_urls_are_redacted_and_words_in_them_are_not(home: Home) -> None:
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


def test_the_command_tries_every_url(home: Home, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
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
