"""Bad YAML, each problem in one line: file, field, what is wrong, and what is allowed."""

from pathlib import Path

import pytest
import yaml

from orgdata_dagster.project.build import build_defs
from orgdata_dagster.project.yaml_errors import problems
from orgdata_dagster_tests.integration import project

USERS = {"name": "users", "key": ["id"]}


def problems_of(folder: Path, text: str) -> list[str]:
    written = project.write(folder / "project", {"institution_analytics": text})
    with pytest.raises(Exception) as caught:
        build_defs(project=written, for_ui=False)
    found = problems(caught.value, written)
    assert all("\n" not in problem and len(problem) < 600 for problem in found)
    return found


CASES: dict[str, tuple[dict[str, object], list[str]]] = {
    "unknown field": ({"start": "2026-01-01"}, ["institution_analytics.start: unknown field"]),
    "unknown field of a data set": (
        {"tables": [USERS, {"name": "events", "keys": ["id"]}]},
        ["institution_analytics.tables[1].keys: unknown field"],
    ),
    "wrong type": ({"lookback": "soon"}, ["institution_analytics.lookback: ", "'soon' is not a duration"]),
    "wrong type in a list": ({"tables": [{"name": 7}]}, ["institution_analytics.tables[0].name: ", "not 7"]),
    "not one of those allowed": (
        {"tables": [{"name": "users", "contract": "frozen"}]},
        ["institution_analytics.tables[0].contract: ", "'evolve' or 'freeze'"],
    ),
    "column type": (
        {"tables": [{"name": "users", "columns": {"score": "FLOATY"}}]},
        ["institution_analytics.tables[0].columns: score: unknown type 'FLOATY'", "DECIMAL(18,2)"],
    ),
    "names twice": (
        {"tables": [USERS, {"name": "users"}]},
        ["institution_analytics.tables[1]: table institution_analytics.users would be the same as"],
    ),
    "no data set": ({"tables": []}, ["institution_analytics.tables: ", "at least 1"]),
    "no day": (
        {"start_date": "January"},
        ["institution_analytics.start_date: 'January' is not a day; write YYYY-MM-DD"],
    ),
    "a limit of none": ({"limits": {"concurrent": 0}}, ["institution_analytics.limits.concurrent: ", "not 0"]),
    "attempts": ({"retries": {"attempts": 0}}, ["institution_analytics.retries.attempts: ", "not 0"]),
    "no cron": ({"cron": "each morning"}, ["institution_analytics.cron: 'each morning' is not a cron expression"]),
    "a name that is none": ({"tables": [{"name": "my users"}]}, ["tables[0].name: ", "my users"]),
}


@pytest.mark.parametrize("case", CASES)
def test_one_problem_is_one_line(tmp_path: Path, case: str) -> None:
    attributes, words = CASES[case]
    found = problems_of(tmp_path, project.institution_analytics(**attributes))
    assert len(found) == 1, found
    assert all(word in found[0] for word in words), found
    assert "defs/institution_analytics/defs.yaml:" in found[0]


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    data_sets = [
        {"name": "users", "contract": "frozen"},
        {"name": "events", "columns": {"a": "NO"}, "owner": "me"},
        {"name": "courses", "columns": {"b": "NO"}},
    ]
    text = project.institution_analytics(start_date="soon", limits=5, tables=data_sets)
    found = [line.rpartition("defs.yaml:")[2].split(" ")[:2] for line in problems_of(tmp_path, text)]
    lines = text.splitlines()
    for number, field in found:
        last = field.rstrip(":").rpartition(".")[2]
        assert f"{last}:" in lines[int(number) - 1], f"line {number} is not where {field} is"
    assert sorted(field for _, field in found) == [
        "institution_analytics.limits:",
        "institution_analytics.start_date:",
        "institution_analytics.tables[0].contract:",
        "institution_analytics.tables[1].columns:",
        "institution_analytics.tables[1].owner:",
        "institution_analytics.tables[2].columns:",
    ]


def test_a_field_that_is_missing(tmp_path: Path) -> None:
    text = yaml.safe_dump({"type": "orgdata_dagster.InstitutionAnalytics", "attributes": {"tables": [USERS]}})
    [problem] = problems_of(tmp_path, text)
    assert problem.endswith("institution_analytics.start_date: is required")


def test_text_that_is_no_yaml(tmp_path: Path) -> None:
    [problem] = problems_of(tmp_path, "type: orgdata_dagster.InstitutionAnalytics\nattributes:\n  tables: [\n")
    assert "defs.yaml:4 not valid YAML: " in problem


@pytest.mark.parametrize("kind", ["orgdata_dagster.InstitutionAnalytic", "nowhere.Thing"])
def test_a_type_that_does_not_exist(tmp_path: Path, kind: str) -> None:
    [problem] = problems_of(tmp_path, yaml.safe_dump({"type": kind, "attributes": {}}))
    assert f"unknown type '{kind}'; known: orgdata_dagster." in problem
    assert "orgdata_dagster.InstitutionAnalytics" in problem


def test_null_switches_limits_and_the_schedule_off(tmp_path: Path) -> None:
    """null once crashed the loading: Dagster compared it with the field's lower bound."""
    text = project.institution_analytics(limits={"concurrent": None, "per_minute": None}, cron=None)
    defs = build_defs(project=project.write(tmp_path / "project", {"institution_analytics": text}))
    assert [schedule.name for schedule in defs.schedules or ()] == ["retention_due"]
    rule = defs.resources["institution_analytics"].rule()  # type: ignore[index]
    assert (rule.buckets, rule.in_flight) == ((), None)
