"""`orgdata init` creates a project that loads, and overwrites nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import orgdata_dagster
from orgdata_dagster import settings
from orgdata_dagster.cli import orgdata
from orgdata_dagster.project import scaffold

Init = Callable[..., Result]


@pytest.fixture
def init(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Init:
    """Run `orgdata init ...` in an empty folder, without any variable of orgdata."""
    for name in (settings.PROJECT, settings.HOME, settings.WAREHOUSE, "DAGSTER_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(orgdata, ["init", *words])


def test_a_new_project(init: Init, tmp_path: Path) -> None:
    done = init("mine", "--vendors", "together, octolis")
    assert done.exit_code == 0, done.output
    assert "cd mine" in done.output
    assert [path.name for path in sorted((tmp_path / "mine/mine/defs").glob("*/"))] == ["octolis", "together"]
    example = (tmp_path / "mine/.env.example").read_text()
    assert "\nTOGETHER_API_KEY=\n" in example
    assert "\n# TOGETHER_BASE_URL=https://api.togetherplatform.com\n" in example
    assert "ACCUTICS" not in example
    modes = {oct(path.stat().st_mode & 0o777) for path in (tmp_path / "mine").rglob("*") if path.is_file()}
    assert modes == {"0o644"}, "a project holds neither data nor state"
    assert ".env\n" in (tmp_path / "mine/.gitignore").read_text()


def test_its_own_test_passes_and_its_commands_find_it_from_any_folder_in_it(init: Init, tmp_path: Path) -> None:
    assert init("mine", "--vendors", "all").exit_code == 0
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ORGDATA")}
    for words in (["-m", "pytest", "-q"], ["-m", "orgdata_dagster.cli", "validate"]):
        folder = tmp_path / "mine" / ("tests" if "pytest" in words else "mine/defs/together")
        done = subprocess.run(
            [sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith(f" assets of {len(orgdata_dagster.component_types())} vendors\n")


def test_a_folder_with_something_in_it_is_left_alone(init: Init, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    done = init("mine", "--vendors", "all")
    assert done.exit_code == 2
    assert "mine is not an empty folder, and nothing in it is overwritten" in done.output
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]
    (tmp_path / "new" / ".git").mkdir(parents=True)
    assert init("new", "--vendors", "none").exit_code == 0, "a fresh clone counts as empty"


def test_a_project_without_vendors_says_where_they_go(
    init: Init, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "write mine/defs/VENDOR/defs.yaml with" in init("mine", "--vendors", "none").output
    monkeypatch.setattr(os, "environ", {**os.environ, settings.PROJECT: str(tmp_path / "mine")})
    told = CliRunner().invoke(orgdata, ["validate"]).output
    assert told.endswith(f"A vendor is a file VENDOR/defs.yaml in {tmp_path}/mine/mine/defs\n"), told


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--vendors", "togethr"], "unknown vendor 'togethr'; did you mean together? Known: accutics,"),
        (["--vendors", ","], "--vendors names none; known: accutics,"),
        ([], "which vendors? Add --vendors with some of accutics,"),  # there is no terminal
    ],
)
def test_unknown_vendors(init: Init, words: list[str], said: str, tmp_path: Path) -> None:
    done = init("mine", *words)
    assert done.exit_code == 2
    assert said in done.output
    assert not (tmp_path / "mine").exists()


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("numbers-of-ours", "numbers_of_ours"),  # no other test makes a package of this name
        ("Data Platform", "data_platform"),
        ("2026", "_2026"),
        ("class", "class_project"),
        ("json", "json_project"),
        ("orgdata_dagster", "orgdata_dagster_project"),
        ("tests", "tests_project"),
        ("日本", "project"),
    ],
)
def test_the_package_has_a_name_that_python_accepts_and_nothing_else_has(name: str, package: str) -> None:
    assert scaffold.package_name(name) == package
