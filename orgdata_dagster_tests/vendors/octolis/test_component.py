"""The YAML: the definitions made from it, and invalid options."""

from __future__ import annotations

from typing import Any

import dagster as dg
import pytest
from pydantic import ValidationError

from orgdata_dagster import settings
from orgdata_dagster.http.circuit_breaker import CircuitBreaker
from orgdata_dagster.http.rate_limit import Window
from orgdata_dagster.sandbox.octolis import DATASETS
from orgdata_dagster.state import FileState
from orgdata_dagster.vendors.octolis.component import DatasetTable, Octolis
from orgdata_dagster_tests.loading import loaded
from orgdata_dagster_tests.ticks import tick_schedule

DATASETS_YAML: list[dict[str, Any]] = [
    {"name": "contacts", "id": "5f1c", "deduplicated_by": ["email"]},
    {"name": "vip", "id": "77aa", "filter": "consent_sms:true", "selection": ["email"], "cron": "0 * * * *"},
]


def definitions(**attributes: Any) -> dg.Definitions:
    return loaded(Octolis, {"tables": DATASETS_YAML, **attributes})


def test_a_dataset_is_an_asset_with_its_checks_and_its_schedule() -> None:
    defs = definitions()
    graph = defs.resolve_asset_graph()
    keys = {key.to_user_string() for key in graph.materializable_asset_keys}
    assert keys == {"octolis/contacts", "octolis/vip"}
    assert {f"{key.asset_key.to_user_string()} {key.name}" for key in graph.asset_check_keys} == {
        f"{key} {check}"
        for key in keys
        for check in ("count", "coverage", "freshness", "keys", "row_count", "schema", "volume")
    }
    assert {schedule.name: schedule.cron_schedule for schedule in defs.schedules or ()} == {  # type: ignore[union-attr]
        "octolis_contacts_due": "20 * * * *",
        "octolis_vip_due": "0 * * * *",
    }
    assert not list(definitions(cron=None, tables=DATASETS_YAML[:1]).schedules or ())


@pytest.mark.usefixtures("new_home")
def test_no_schedule_asks_while_a_circuit_breaker_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCTOLIS_API_KEY", "key")
    defs = definitions()
    schedule = next(iter(defs.schedules or ()))
    assert isinstance(schedule, dg.ScheduleDefinition)
    circuit_breaker = CircuitBreaker("octolis", FileState(settings.home()))
    with dg.instance_for_test() as instance:
        circuit_breaker.set("HTTP 401")
        assert "HTTP 401" in str(tick_schedule(instance, defs, schedule).skip_message)
        circuit_breaker.clear()
        assert len(tick_schedule(instance, defs, schedule).run_requests or ()) == 1


def test_the_limits_are_the_documented_ones_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCTOLIS_API_KEY", "key")
    documented = definitions().resources["octolis"]  # type: ignore[index]
    assert documented.rule().buckets == ((Window(25, 1), Window(150, 60)), (Window(2000, 60),))
    faster = definitions(limits={"points_per_second": 500}).resources["octolis"]  # type: ignore[index]
    assert faster.rule().buckets[0][0] == Window(500, 1)
    assert documented.base_url == "https://api.octolis.cloud/v1/data"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"filter": "consent_sms"}, "column:value"),
        ({"selection": ["a,b"]}, "pattern"),
        ({"columns": {"total": "NUMBR"}}, "NUMBR"),
        ({"name": "no-table"}, "pattern"),
        ({"id": ""}, "at least 1"),
        ({"nonsense": 1}, "nonsense"),
    ],
)
def test_invalid_options_are_an_error_at_load(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        DatasetTable(**{"name": "people", "id": "1", **wrong})


def test_the_example_has_the_sandboxs_datasets() -> None:
    from importlib.resources import files

    text = files("orgdata_dagster").joinpath("defs/octolis/defs.yaml").read_text()
    assert all(DATASETS[name] in text for name in ("contacts", "customers", "orders", "vip"))
