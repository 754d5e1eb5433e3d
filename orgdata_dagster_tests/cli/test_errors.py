"""Mistakes of users at the command line: one clear line, status 2, no traceback."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from orgdata_dagster.cli import loaded_project
from orgdata_dagster.cli.errors import UserError
from orgdata_dagster.cli.pull import days_of
from orgdata_dagster_tests.integration.command import Done
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.integration.project import institution_analytics, today


@pytest.fixture
def offline(new_home: Home) -> Home:
    """A home with all variables set; no server listens at the vendor's address."""
    new_home.set(INSTITUTION_ANALYTICS_BASE_URL="http://127.0.0.1:9/x", INSTITUTION_ANALYTICS_API_KEY="a key")
    return new_home


def the_line(done: Done) -> str:
    lines = done.err.splitlines()
    assert (done.status, done.out, len(lines)) == (2, "", 1), done
    assert lines[0].startswith("orgdata: ")
    return lines[0].removeprefix("orgdata: ")


def test_a_wrong_argument(offline: Home) -> None:
    line = the_line(offline.orgdata("pull", "institution_analytics/user"))
    assert "unknown selection 'institution_analytics/user'; did you mean institution_analytics/users" in line
    assert "--from 'yesterday' is not a day" in the_line(offline.orgdata("pull", "--from", "yesterday"))
    assert not (offline.folder / "dagster").exists()  # nothing was begun

    loaded = loaded_project.load()
    for selection, words in [
        ("institution_analitics", "did you mean institution_analytics"),
        ("nobody", "unknown selection 'nobody'; vendors are institution_analytics; `orgdata status` lists"),
        ("event", "did you mean institution_analytics/events?"),
        ("key:(", "'key:(' is not a valid selection"),
        ("key:nothing*", "unknown selection 'key:nothing*'"),
    ]:
        with pytest.raises(UserError, match=re.escape(words)):
            loaded.select(selection)
    for first, last, words in [
        ("yesterday", None, f"--from 'yesterday' is not a day; write YYYY-MM-DD, as in --from {today()}"),
        (None, "2026-02-30", "--to '2026-02-30' is not a day"),
        (None, "2999-01-01", "--to 2999-01-01 is in the future"),
        (today(), today(back=1), f"--from {today()} is later than --to {today(back=1)}"),
        ("2020-01-01", None, "--from 2020-01-01: institution_analytics/courses starts on"),
        ("2020-01-01", None, "start_date in defs/institution_analytics"),
    ]:
        with pytest.raises(UserError, match=re.escape(words)):
            loaded.with_days(loaded.keys, *days_of(first, last))


def test_a_variable_that_is_not_set(offline: Home) -> None:
    offline.set(INSTITUTION_ANALYTICS_API_KEY="")
    line = the_line(offline.orgdata("pull"))
    assert (
        "institution_analytics is not configured: set INSTITUTION_ANALYTICS_API_KEY in the environment or in .env;"
        in line
    )
    assert ".env" in line


def test_an_invalid_home(offline: Home, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    offline.set(ORGDATA_HOME=str(tmp_path / "file" / "home"))
    assert f"ORGDATA_HOME: cannot create the folder {tmp_path / 'file' / 'home'}" in the_line(offline.orgdata("pull"))


def test_an_invalid_warehouse(offline: Home, tmp_path: Path) -> None:
    (tmp_path / "text.duckdb").write_text("this is no database, but a text that is long enough to be taken for one")
    offline.set(ORGDATA_WAREHOUSE=str(tmp_path / "text.duckdb"))
    assert str(tmp_path / "text.duckdb") in the_line(offline.orgdata("status"))


def test_an_invalid_project(offline: Home, tmp_path: Path) -> None:
    offline.set(ORGDATA_PROJECT=str(tmp_path / "nowhere"))
    assert "ORGDATA_PROJECT: no pyproject.toml in" in the_line(offline.orgdata("status"))


def test_bad_yaml_is_reported_by_every_command(offline: Home) -> None:
    offline.write_project(institution_analytics=institution_analytics(start_date="soon", cronn="x"))
    for arguments in (["pull"], ["status", "--json"], ["validate"]):
        done = offline.orgdata(*arguments)
        assert (done.status, done.out) == (2, "")
        lines = done.err.splitlines()
        assert len(lines) == 2
        assert all(line.startswith("orgdata: ") and "defs.yaml:" in line for line in lines), lines


def test_a_valid_project_is_reported_as_such(offline: Home) -> None:
    done = offline.orgdata("validate")
    assert (done.status, done.out) == (0, "no problems: 3 assets of 1 vendor\n")


def test_status_before_anything_landed(new_home: Home) -> None:
    done = new_home.orgdata("status", "--json")
    assert done.status == 0, done
    tables = json.loads(done.out)["tables"]
    assert {(each["table"], each["rows"], each["last_loaded"]) for each in tables} == {
        (f"institution_analytics.{name}", 0, None) for name in ("courses", "events", "users")
    }


def test_a_failure_is_status_1_with_one_line_per_failure(offline: Home) -> None:
    """With the installed command, from another folder: a new interpreter, and workers of their own."""
    data_sets = [{"name": "users"}, {"name": "courses"}]
    offline.write_project(institution_analytics=institution_analytics(tables=data_sets))
    environment = {**os.environ, "DAGSTER_HOME": ""}
    command = [sys.executable, "-m", "orgdata_dagster.cli", "pull", "--json"]
    done = subprocess.run(
        command, env=environment, cwd=offline.folder.parent, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 1, done
    failed = [line for line in done.stderr.splitlines() if line.startswith("failed: ")]
    assert [line.split(": ")[1] for line in failed] == [
        "institution_analytics/courses",
        "institution_analytics/users",
    ]
    assert all("gave up after 3 attempts" in line for line in failed), failed
    assert all("Check the host and the port in INSTITUTION_ANALYTICS_BASE_URL" in line for line in failed), failed
    assert [each["error"] is None for each in json.loads(done.stdout)] == [False, False]
    assert "Traceback" not in done.stderr
