"""The output of `--json` of every command has the documented shape and ISO times, and nothing else is on standard
output."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from orgdata_dagster.cli import orgdata
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.integration.project import institution_analytics, today
from orgdata_dagster_tests.waiting import wait_until

DOCUMENT = (Path(__file__).parent.parent.parent / "docs" / "json.md").read_text()
EXAMPLES: dict[str, Any] = {
    name: json.loads(block)
    for name, block in re.findall(r"^## `orgdata ([a-z ]+) --json`$.*?^```json$(.*?)^```$", DOCUMENT, re.M | re.S)
}
WITHOUT = {"schema", "completion"}
BY_VALUE = {"days", "environment", "figures", "columns of preview", "pools", "labels"}  # the keys are data
ANY = {"value", "last_rows"}  # the values are data
USERS = "institution_analytics/users"


def differences(example: Any, found: Any, at: str = "") -> list[str]:
    """The places at which a document has another shape than the example. null matches everything, an empty list every
    list."""
    name = at.rpartition(".")[2]
    if name in ANY or example is None or found is None:
        return []
    if isinstance(example, list) and isinstance(found, list):
        return [line for each in found for line in (differences(example[0], each, at) if example else [])]
    if isinstance(example, dict) and isinstance(found, dict):
        if name in BY_VALUE or (name == "columns" and "id" in example) or (name == "rows" and at == ".rows"):
            one = next(iter(example.values()))
            return [line for key, each in found.items() for line in differences(one, each, f"{at}.*{key}")]
        if example.keys() != found.keys():
            return [f"{at}: {sorted(example.keys() ^ found.keys())}"]
        return [line for key in example for line in differences(example[key], found[key], f"{at}.{key}")]
    numbers = isinstance(example, int | float) and isinstance(found, int | float)
    if type(example) is not type(found) and not (numbers and not isinstance(example, bool)):
        return [f"{at}: {type(found).__name__} instead of {type(example).__name__}"]
    if isinstance(example, str) and re.match(r"\d{4}-\d\d-\d\dT", example):
        return [] if datetime.fromisoformat(found).utcoffset() is not None else [f"{at}: {found!r} has no zone"]
    return []


def commands(group: click.Group, before: str = "") -> dict[str, click.Command]:
    found: dict[str, click.Command] = {}
    for name, each in group.commands.items():
        found |= commands(each, f"{name} ") if isinstance(each, click.Group) else {f"{before}{name}": each}
    return found


def test_every_command_takes_json_and_is_documented() -> None:
    having = {
        name for name, each in commands(orgdata).items() if any("--json" in option.opts for option in each.params)
    }
    assert having == commands(orgdata).keys() - WITHOUT
    assert having == EXAMPLES.keys()


@pytest.fixture
def told(home: Home, sandbox: Sandbox) -> Home:
    """A home in which two days of users have landed, the last one of them twice."""
    assert sandbox.url
    home.write_project(institution_analytics=institution_analytics(tables=[{"name": "users", "key": ["id"]}]))
    return home


def printed(*arguments: str, status: int = 0) -> Any:
    done = CliRunner().invoke(orgdata, [*arguments, "--json"])
    assert done.exit_code == status, (arguments, done.output, done.exception)
    return json.loads(done.stdout)


def test_the_documents_have_the_documented_shape(told: Home, tmp_path: Path) -> None:
    pulled = told.orgdata("pull", USERS, "--from", today(back=1), "--json")
    found = {"pull": json.loads(pulled.out)}
    found["plan"] = printed("plan", USERS, "--from", today(back=1))
    told.loaded().resources["institution_analytics"].rate_limit().pause(60)
    found["status"] = printed("status")
    assert found["status"]["paused"][0]["vendor"] == "institution_analytics"
    told.loaded().resources["institution_analytics"].rate_limit().resume()
    found["query"] = printed("query", "SELECT 9007199254740993 AS id, 1.10 AS amount, NULL AS note, now() AS at")
    found["show"] = printed("show", USERS)
    found["explain"] = printed("explain", USERS)
    found["metrics"] = printed("metrics")
    found["dbt init"] = printed("dbt", "init", str(tmp_path / "dbt"))
    found["export"] = printed("export", str(tmp_path / "files"))
    found["validate"] = printed("validate")
    found["preview"] = printed("preview", USERS)
    found["doctor"] = printed("doctor", "--fix")
    found["init"] = printed("init", str(tmp_path / "mine"), "--vendors", "together")
    found["prepare"] = printed("prepare")
    found["backup"] = printed("backup", str(tmp_path / "backup"))
    found["restore"] = printed("restore", str(tmp_path / "backup"), "--replace")
    for name, document in found.items():
        assert document, name
        assert differences(EXAMPLES[name], document) == [], name
    assert found["status"]["tables"][0]["complete_until"]
    assert found["show"]["complete_until"]
    [(day, state)] = [each for each in found["show"]["days"].items() if each[0] == today(back=1)]
    assert (day, state) == (today(back=1), "complete")


def test_problems_are_a_document_too(told: Home) -> None:
    told.write_project(institution_analytics=institution_analytics(start_date="soon", cronn="x"))
    found = printed("validate", status=2)
    assert differences(EXAMPLES["validate"], found) == []
    assert len(found["problems"]) == 2
    assert {each["file"].endswith("defs.yaml") for each in found["problems"]} == {True}


def test_the_sandbox_says_where_it_is(new_home: Home) -> None:
    started = new_home.start("sandbox", "--port", "0", "--json")
    wait_until(lambda: started.out.endswith("}\n"), "its address")
    started.kill_all()
    assert differences(EXAMPLES["sandbox"], json.loads(started.out)) == []


def test_a_wrong_shape_would_be_detected() -> None:
    assert differences({"a": 1, "b": "x"}, {"a": 1}) == [": ['b']"]
    assert differences([{"a": 1}], [{"a": 1}, {"a": "1"}]) == [".a: str instead of int"]
    assert differences({"at": "2026-11-22T19:37:44+00:00"}, {"at": "2026-11-22T19:37:44"})
    assert differences({"good": True}, {"good": 1}) == [".good: int instead of bool"]
