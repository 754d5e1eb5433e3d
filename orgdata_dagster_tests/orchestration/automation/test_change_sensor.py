"""The sensors that check whether a vendor has new data: what they request, what they launch, when they skip."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg
import pytest
import yaml

from orgdata_dagster import settings
from orgdata_dagster.http.circuit_breaker import CircuitBreaker
from orgdata_dagster.orchestration.tags import RANGE_END, RANGE_START
from orgdata_dagster.project.build import build_defs
from orgdata_dagster.sandbox.accutics import demo as accutics
from orgdata_dagster.sandbox.environment import environment
from orgdata_dagster.sandbox.faults import Status
from orgdata_dagster.sandbox.limits import UNLIMITED
from orgdata_dagster.sandbox.octolis import DATASETS
from orgdata_dagster.sandbox.octolis import demo as octolis
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster.state import FileState
from orgdata_dagster_tests.integration import project
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.integration.project import today
from orgdata_dagster_tests.ticks import tick_sensor

CONTACTS = dg.AssetKey(["octolis", "contacts"])


LISTS = [
    {"name": "submissions", "path": "/submissions", "paging": "page", "cursor_column": "updated_at",
     "sort": "-updated_at"},
    {"name": "records", "path": "/records", "paging": "cursor", "cursor_column": "updated_at"},
    {"name": "users", "path": "/users", "paging": "page"},
]  # fmt: skip


@pytest.fixture(scope="module")
def defs(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    """octolis with one dataset, accutics with a list of each kind."""
    entities = [{**each, "key": ["id"]} for each in LISTS]
    attributes = {
        "Octolis": {"tables": [{"name": "contacts", "id": DATASETS["contacts"]}]},
        "Accutics": {"start_date": today(back=9), "tables": entities, "lookback": "0s"},
    }
    files = {
        name.lower(): yaml.safe_dump({"type": f"orgdata_dagster.{name}", "attributes": each})
        for name, each in attributes.items()
    }
    return build_defs(project=project.write(tmp_path_factory.mktemp("changes"), files), for_ui=False)


@pytest.fixture
def vendors(home: Home) -> Iterator[Sandbox]:
    with Sandbox(octolis(limits=UNLIMITED), accutics(days=2, rows=200, limits=UNLIMITED)) as running:
        home.set(**environment(running.url), **{settings.TEST_SERVER_PROBES: "0"})
        yield running


def tick(home: Home, defs: dg.Definitions, vendor: str, cursor: str | None = None) -> dg.SensorResult:
    """What the sensor does at a tick."""
    [sensor] = [each for each in defs.sensors or [] if each.name == f"{vendor}_changes"]
    assert isinstance(sensor, dg.SensorDefinition)
    with home.instance() as instance:
        return tick_sensor(instance, defs, sensor, cursor)


def launched(result: dg.SensorResult) -> list[str]:
    return [key.path[-1] for request in result.run_requests or () for key in request.asset_selection or ()]


def test_a_pull_is_launched_only_when_something_changed(home: Home, defs: dg.Definitions, vendors: Sandbox) -> None:
    first = tick(home, defs, "octolis")
    assert launched(first) == ["contacts"]
    [request] = vendors.log.entries()
    assert (request.status, request.query["pageSize"], request.query["order"]) == (200, "1", "desc")
    again = tick(home, defs, "octolis", first.cursor)
    assert launched(again) == []
    assert again.skip_reason is not None
    assert "nothing changed" in str(again.skip_reason.skip_message)
    vendors.octolis.datasets[DATASETS["contacts"]].upsert({"email": "new@example.org"})
    changed = tick(home, defs, "octolis", again.cursor)
    assert launched(changed) == ["contacts"]
    # the calls are in the ledger, paid like any other
    assert home.sql("SELECT vendor, count(*), sum(cost) FROM _orgdata.requests GROUP BY 1") == [("octolis", 3, 3.0)]


def test_lists_of_every_kind_show_a_change(home: Home, defs: dg.Definitions, vendors: Sandbox) -> None:
    with home.instance() as instance:
        done = defs.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=instance,
            asset_selection=[dg.AssetKey(["accutics", "records"])],
            tags={RANGE_START: today(back=1), RANGE_END: today()},
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
        assert done.success
    first = tick(home, defs, "accutics")
    quiet = tick(home, defs, "accutics", first.cursor)
    assert launched(quiet) == []
    for name in ("submissions", "records"):
        entity = vendors.accutics.entities[name]
        entity.update(entity.truth()[3]["id"])
    users = vendors.accutics.entities["users"]
    users.delete(users.truth()[-1]["id"])
    changed = tick(home, defs, "accutics", quiet.cursor)
    assert launched(changed) == ["submissions", "records", "users"]
    requests = [entry.query for entry in vendors.log.entries() if entry.query.get("page_size") == "1"]
    assert len(requests) == 9  # a row each, three times


def test_at_most_once_in_five_minutes(home: Home, defs: dg.Definitions, vendors: Sandbox) -> None:
    home.set(**{settings.TEST_SERVER_PROBES: ""})
    first = tick(home, defs, "octolis")
    soon = tick(home, defs, "octolis", first.cursor)
    assert len(vendors.log.entries()) == 1
    assert "0:05:00" in str(soon.skip_reason)
    state = json.loads(first.cursor or "")
    long_ago = state | {"looked": datetime(2026, 1, 1, tzinfo=UTC).isoformat()}
    tick(home, defs, "octolis", json.dumps(long_ago))
    assert len(vendors.log.entries()) == 2


def test_a_vendor_that_is_down_is_skipped_with_the_reason(home: Home, defs: dg.Definitions, vendors: Sandbox) -> None:
    first = tick(home, defs, "octolis")
    vendors.octolis.datasets[DATASETS["contacts"]].upsert({"email": "new@example.org"})
    vendors.octolis.faults.add(Status(503), times=1)
    down = tick(home, defs, "octolis", first.cursor)
    assert launched(down) == []
    assert "503" in str(down.skip_reason)
    assert len(vendors.log.entries()) == 2  # one attempt, no retries within a tick
    assert launched(tick(home, defs, "octolis", down.cursor)) == ["contacts"]  # it is back, and nothing was forgotten


def test_without_credentials_or_with_an_open_circuit_breaker_no_request_is_sent(
    home: Home, defs: dg.Definitions, vendors: Sandbox
) -> None:
    CircuitBreaker("octolis", FileState(settings.home())).set("HTTP 401")
    assert "doctor --clear octolis" in str(tick(home, defs, "octolis").skip_reason)
    home.set(ACCUTICS_API_TOKEN="")
    assert "ACCUTICS_API_TOKEN" in str(tick(home, defs, "accutics").skip_reason)
    assert vendors.log.entries() == []


def test_a_data_set_with_a_run_in_progress_is_skipped(home: Home, defs: dg.Definitions, vendors: Sandbox) -> None:
    with home.instance() as instance:
        run = instance.create_run_for_job(
            defs.resolve_implicit_global_asset_job_def(),
            asset_selection=frozenset({CONTACTS}),
            status=dg.DagsterRunStatus.STARTED,
        )
        assert run.asset_selection == {CONTACTS}
    assert launched(tick(home, defs, "octolis")) == []
    assert vendors.log.entries() == []
