"""The definitions made from the YAML, invalid YAML, and the warning before a token expires."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from rich.console import Console

import orgdata_dagster
from orgdata_dagster.cli.doctor import show
from orgdata_dagster.cli.doctor.vendors import findings
from orgdata_dagster.cli.loaded_project import LoadedProject
from orgdata_dagster.orchestration.config.request_options import Limits
from orgdata_dagster.sandbox.accutics import jwt
from orgdata_dagster.vendors.accutics.component import Accutics
from orgdata_dagster.vendors.accutics.entity import listing
from orgdata_dagster.vendors.accutics.resource import AccuticsResource
from orgdata_dagster.vendors.accutics.search import where
from orgdata_dagster_tests.loading import Refused
from orgdata_dagster_tests.vendors.accutics.rig import Rig, entity

DAY = 86_400


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    with ExitStack() as stack:
        yield Rig(stack)


def test_the_names_of_the_definitions(rig: Rig) -> None:
    repository = rig.definitions().get_repository_def()
    names = ["inputs", "records", "submissions", "users"]
    assert sorted(repository.assets_defs_by_key) == [dg.AssetKey(["accutics", name]) for name in names]
    assert sorted(schedule.name for schedule in repository.schedule_defs) == ["accutics_due", "accutics_users_due"]
    in_days = {key.path[1]: asset.partitions_def is not None for key, asset in repository.assets_defs_by_key.items()}
    assert in_days == {"inputs": True, "records": True, "submissions": True, "users": False}


def test_the_projects_own_file_loads() -> None:
    path = Path(orgdata_dagster.__file__).parent / "defs" / "accutics" / "defs.yaml"
    attributes = yaml.safe_load(path.read_text())["attributes"]
    made = Accutics.resolve_from_yaml(yaml.safe_dump(attributes))
    assert [each.name for each in made.tables] == ["submissions", "records", "inputs", "users"]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"search": "match_status:like:x"}, "unknown operator"),
        ({"search": "tags:eq:x", "dimensions": {"tags": "multiselect"}}, "kind multiselect supports"),
        ({"search": "a:exists:x"}, "takes no value"),
        ({"sort": "-updated_at"}, "has its own order"),
        ({"key": []}, "at least 1 item"),
        ({"path": "records"}, "match pattern"),
        ({"paging": "number"}, "'page' or 'cursor'"),
        ({"name": "a b"}, "match pattern"),
        ({"columns": {"n": "BIGINTT"}}, "unknown type"),
        ({"cursor": "updated_at"}, "cursor: unknown field"),
    ],
)
def test_invalid_yaml(rig: Rig, changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(Refused, match=problem):
        rig.definitions(entity("records", **changes))


def test_rows_straight_from_the_vendor(rig: Rig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ORGDATA_HOME", str(tmp_path))
    for name, value in rig.variables().items():
        monkeypatch.setenv(name, value)
    resource = AccuticsResource.from_environment(limits=Limits(per_minute=None))
    records = listing("/records", "cursor", ("id",))
    truth = rig.vendor.entities["records"].truth()
    assert sorted(resource.rows(records)["id"]) == sorted(row["id"] for row in truth)
    synced = resource.rows(records, where("match_status", "eq", "synced"))
    assert len(synced) == sum(row["match_status"] == "synced" for row in truth)
    assert resource.rows(records, where("match_status", "eq", "none")).empty


@pytest.mark.parametrize(
    ("left", "said"), [(30 * DAY, None), (3 * DAY + 60, "(in 3 days)"), (-2 * DAY - 60, "(2 days ago)")]
)
def test_the_doctor_says_when_the_token_expires(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, left: int, said: str | None
) -> None:
    token = jwt(left)
    monkeypatch.setenv("ORGDATA_HOME", str(tmp_path))
    monkeypatch.setenv("ACCUTICS_API_TOKEN", token)
    monkeypatch.setenv("ACCUTICS_BASE_URL", "http://127.0.0.1:1")
    console = Console(record=True, width=200)
    show(console, findings(LoadedProject(rig.definitions()), ask=False))
    told = console.export_text()
    assert ("ACCUTICS_API_TOKEN: The token expire" in told) == (said is not None)
    assert said is None or said in told
    assert token not in told
