"""`orgdata dbt init`: the sources match the project, and the user's files are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from orgdata_dagster import settings
from orgdata_dagster.cli import dbt
from orgdata_dagster_tests.integration.home import Home

PROJECT = """
type: orgdata_dagster.Together
attributes:
  tables:
    - {name: users, key: [User ID], column_descriptions: {User ID: The user's id.}}
"""


@pytest.fixture
def folder(new_home: Home, tmp_path: Path) -> Path:
    new_home.write_project(together=PROJECT)
    return tmp_path / "dbt"


def read(folder: Path, name: str) -> Any:
    return yaml.safe_load((folder / name).read_text())


def test_a_source_has_the_key_of_its_asset_and_reads_one_row_per_key(folder: Path) -> None:
    list(dbt.init(folder))

    (source,) = read(folder, "models/orgdata.yml")["sources"]
    (users,) = source["tables"]
    assert (source["name"], source["schema"], source["database"]) == ("together", "together", "warehouse")
    assert (users["name"], users["identifier"]) == ("users", "users_current")
    key = {column["name"]: column for column in users["columns"]}["User ID"]
    assert key == {
        "name": "User ID",
        "description": "The user's id.",
        "quote": True,
        "data_tests": ["not_null", "unique"],
    }


def test_freshness_follows_the_coverage(folder: Path) -> None:
    list(dbt.init(folder))

    config = read(folder, "models/orgdata.yml")["sources"][0]["tables"][0]["config"]
    assert "max(to_instant) from warehouse._orgdata.coverage where complete" in config["loaded_at_query"]
    assert config["freshness"]["warn_after"]["count"] < config["freshness"]["error_after"]["count"]


def test_only_the_sources_are_written_again(folder: Path) -> None:
    list(dbt.init(folder))
    for name in ("profiles.yml", "models/orgdata.yml"):
        (folder / name).write_text("changed: true\n")

    written = {file.path.name: file.written for file in dbt.init(folder)}

    assert written == {"dbt_project.yml": False, "profiles.yml": False, "orgdata.yml": True}
    assert read(folder, "profiles.yml") == {"changed": True}
    assert "sources" in read(folder, "models/orgdata.yml")


def test_the_warehouse_is_attached_for_reading(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    list(dbt.init(folder))
    (profile,) = read(folder, "profiles.yml").values()
    (attached,) = profile["outputs"]["dev"]["attach"]
    assert attached["read_only"] is True
    assert settings.warehouse_uri() in attached["path"]

    (folder / "profiles.yml").unlink()
    monkeypatch.setenv("ORGDATA_WAREHOUSE", f"ducklake:sqlite:{tmp_path}/catalog?DATA_PATH=/lake")
    list(dbt.init(folder))
    (profile,) = read(folder, "profiles.yml").values()
    (attached,) = profile["outputs"]["dev"]["attach"]
    assert attached["path"] == f"ducklake:sqlite:{tmp_path}/catalog"
    assert attached["options"] == {"DATA_PATH": "/lake"}


def test_credentials_of_an_object_store_stay_in_their_variables(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORGDATA_WAREHOUSE", "ducklake:sqlite:catalog?DATA_PATH=s3://bucket/lake")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "hidden-key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden-secret")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9000")
    list(dbt.init(folder))
    assert "hidden" not in (folder / "profiles.yml").read_text()
    (profile,) = read(folder, "profiles.yml").values()
    output = profile["outputs"]["dev"]
    assert output["extensions"] == ["httpfs"]
    assert output["secrets"] == [
        {
            "type": "s3",
            "scope": "s3://bucket/",
            "key_id": "{{ env_var('AWS_ACCESS_KEY_ID') }}",
            "secret": "{{ env_var('AWS_SECRET_ACCESS_KEY') }}",
            "endpoint": "127.0.0.1:9000",
            "url_style": "path",
            "use_ssl": "false",
        }
    ]
    (folder / "profiles.yml").unlink()
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    list(dbt.init(folder))
    (profile,) = read(folder, "profiles.yml").values()
    assert profile["outputs"]["dev"]["extensions"] == ["httpfs", "aws"]
    assert profile["outputs"]["dev"]["secrets"][0]["provider"] == "credential_chain"
