"""A project whose problems start and end on demand: failed runs, failing checks, pauses, gaps, failing sensors.

Here: `World`, and one function per problem that starts or ends it. Keep out: assertions (test_alerts.py).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import dagster as dg

from orgdata_dagster.http import redaction
from orgdata_dagster.http.circuit_breaker import CircuitBreaker
from orgdata_dagster.orchestration.automation.alerts.sensor import alerts_sensor
from orgdata_dagster.orchestration.checks.freshness import Allowed
from orgdata_dagster.orchestration.resources import WarehouseResource
from orgdata_dagster.orchestration.shared_state import shared_state
from orgdata_dagster.sandbox.accutics import jwt
from orgdata_dagster.vendors.accutics.resource import AccuticsResource
from orgdata_dagster.warehouse.ledger import schema
from orgdata_dagster_tests.dagster_internals.for_tests import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    RegisteredCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
    SensorInstigatorData,
    SerializableErrorInfo,
    TickData,
    TickStatus,
)
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.orchestration.automation.receiver import Receiver
from orgdata_dagster_tests.ticks import tick_sensor

SECRET = "sk-very-secret-4711"
CONTACTS, ORDERS = dg.AssetKey(["octolis", "contacts"]), dg.AssetKey(["octolis", "orders"])
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
HOUR = timedelta(hours=1)


class World:
    """A project of two assets whose runs and checks fail on demand, a daemon that evaluates the sensor, and a clock."""

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
        with self.home.instance() as instance:
            self.cursor = tick_sensor(instance, self.defs, self.sensor, self.cursor).cursor
        return self.receiver.take()

    def covered(self, table: str, until: datetime) -> None:
        """Record in the ledger that a table is complete until this instant."""
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
    state = {"batch": [], "tries": 0, "after": "", "given_up": ["2026-03-01", "2026-03-02"]}
    world.instigator("catch_up", json.dumps({"octolis/contacts": state}))


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
