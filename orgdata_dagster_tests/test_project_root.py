"""The project is found like a git repository, from the working folder upwards."""

import os
from pathlib import Path

import pytest

from orgdata_dagster import settings
from orgdata_dagster.orchestration.instance.setup import prepare_home
from orgdata_dagster_tests.integration import project


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(settings.PROJECT, raising=False)
    monkeypatch.delenv(settings.HOME, raising=False)


def test_the_nearest_project_above_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outer = project.write(tmp_path / "outer", {})
    inner = project.write(outer / "below" / "inner", {})
    for root in (outer, inner):
        (root / "a" / "b").mkdir(parents=True)
        monkeypatch.chdir(root / "a" / "b")
        assert settings.project_root() == root
        assert settings.home() == root / ".orgdata"
    (inner / "a" / "pyproject.toml").write_text('[project]\nname = "a library"\n')
    assert settings.project_root() == inner, "a pyproject.toml of another kind is passed over"
    monkeypatch.setenv(settings.PROJECT, str(outer))
    assert settings.project_root() == outer


def test_the_checkout_is_not_the_project_of_a_folder_outside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(settings.NoProject, match=r"no project in .* or make one with `orgdata init FOLDER`"):
        settings.project_root()
    monkeypatch.setenv(settings.HOME, str(tmp_path / "home"))
    assert settings.warehouse_uri() == str(tmp_path / "home" / "warehouse.duckdb"), "needs no project"


def test_an_invalid_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "a library"\n')
    monkeypatch.setenv(settings.PROJECT, str(tmp_path))
    with pytest.raises(settings.SettingsError, match=r"has no \[tool.dg.project\]"):
        settings.project_root()
    (tmp_path / "pyproject.toml").write_text("[tool.dg.project\n")
    with pytest.raises(settings.SettingsError, match=r"pyproject.toml is not valid TOML: .*; correct it"):
        settings.project_root()


def test_dg_toml_and_src(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dg.toml").write_text('directory_type = "project"\n[project]\nroot_module = "mine"\n')
    (tmp_path / "src" / "mine" / "defs").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert settings.project_root() == tmp_path
    assert settings.defs_folder(tmp_path) == tmp_path / "src" / "mine" / "defs"
    assert settings.location_name(tmp_path) == tmp_path.name


def test_a_relative_dagster_home_is_below_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dg.toml").write_text('directory_type = "project"\n[project]\nroot_module = "mine"\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(settings.DAGSTER_HOME, "state/dagster")
    assert prepare_home() == os.environ[settings.DAGSTER_HOME] == str(tmp_path / "state" / "dagster")
    assert settings.dagster_home().is_dir(), "Dagster takes only a folder that exists"
    monkeypatch.setenv(settings.DAGSTER_HOME, "")
    assert settings.dagster_home() == settings.own_dagster_home() == tmp_path / ".orgdata" / "dagster"
