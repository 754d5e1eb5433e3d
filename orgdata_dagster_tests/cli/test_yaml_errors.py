"""Bad YAML: one line per problem, with file, field, problem and allowed values."""

from pathlib import Path

import pytest
import yaml

from orgdata_dagster.project.build import build_defs
from orgdata_dagster.project.yaml_errors import problems
from orgdata_dagster.vendors.octolis.component import Octolis
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
    "unknown field": (
        {"start": "2026-01-01"},
        ["institution_analytics.start: unknown field; did you mean start_date? Allowed: name, tables, cron, "],
    ),
    "no owner": (
        {"tables": [{"name": "users", "owners": ["bob"]}]},
        ["institution_analytics.tables[0].owners[0]: 'bob' is not an owner; write an e-mail address, or a team as"],
    ),
    "a day to come": (
        {"start_date": "2999-01-01"},
        ["institution_analytics.start_date: 2999-01-01 is in the future; write a day up to today ("],
    ),
    "unknown field of a data set": (
        {"tables": [USERS, {"name": "events", "keys": ["id"]}]},
        ["institution_analytics.tables[1].keys: unknown field; did you mean key? Allowed: name, key, "],
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


def test_all_problems_are_reported_at_once(tmp_path: Path) -> None:
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


def test_text_that_is_not_yaml(tmp_path: Path) -> None:
    [problem] = problems_of(tmp_path, "type: orgdata_dagster.InstitutionAnalytics\nattributes:\n  tables: [\n")
    assert "defs.yaml:4 not valid YAML: " in problem


@pytest.mark.parametrize("kind", ["orgdata_dagster.InstitutionAnalytic", "nowhere.Thing"])
def test_a_type_that_does_not_exist(tmp_path: Path, kind: str) -> None:
    [problem] = problems_of(tmp_path, yaml.safe_dump({"type": kind, "attributes": {}}))
    assert f"unknown type '{kind}'; known: orgdata_dagster." in problem
    assert "orgdata_dagster.InstitutionAnalytics" in problem


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("class Other: pass", "has no class Tracker"),
        ("class Tracker: pass", "Tracker in orgdata_project_N.tracker is not a Component"),
        ("import nothing_like_this", "cannot import orgdata_project_N.tracker: ModuleNotFoundError: No module named"),
        ("def broken(:", "cannot import orgdata_project_N.tracker: SyntaxError: invalid syntax (tracker.py, line 1)"),
        ("''.nothing", "cannot import orgdata_project_N.tracker: AttributeError: 'str' object has no attribute"),
    ],
)
def test_a_type_in_the_users_own_code_that_cannot_be_used(tmp_path: Path, code: str, why: str) -> None:
    written = project.write(tmp_path, {"tracker": ""})
    [file] = written.glob("*/defs/tracker/defs.yaml")
    package = file.parents[2]
    file.write_text(f"type: {package.name}.tracker.Tracker\nattributes: {{}}\n")
    (package / "tracker.py").write_text(code)
    with pytest.raises(Exception) as caught:
        build_defs(project=written, for_ui=False)
    [found] = problems(caught.value, written)
    assert f"tracker/defs.yaml:1 tracker: unknown type '{package.name}.tracker.Tracker'; " in found
    assert why.replace("orgdata_project_N", package.name) in found
    shown = build_defs(project=written).resolve_asset_graph().get_all_asset_keys()
    assert "tracker/not_loaded" in {key.to_user_string() for key in shown}, "the UI loads the rest"


FILES: dict[str, tuple[dict[str, str], str]] = {
    "empty": ({"together": ""}, "defs/together/defs.yaml:1 together: the file is empty; write `type: orgdata_dagster."),
    "only a comment": ({"octolis": "# later\n"}, "defs/octolis/defs.yaml:1 octolis: the file is empty; write `type:"),
    "a field twice": (
        {"together": "type: orgdata_dagster.Together\nattributes:\n  cron: null\n  cron: 1 * * * *\n"},
        "defs/together/defs.yaml:4 together.cron: is given twice, also in line 3; keep one of them",
    ),
    "a field of a table twice": (
        {"together": "type: orgdata_dagster.Together\nattributes:\n  tables:\n  - {name: users, key: [a], key: [b]}\n"},
        "defs/together/defs.yaml:4 together.tables[0].key: is given twice, also in line 4",
    ),
    "a vendor in two files": (
        {
            "together": "type: orgdata_dagster.Together\nattributes: {tables: [{name: users}]}\n",
            "together_too": "type: orgdata_dagster.Together\nattributes: {tables: [{name: sessions}]}\n",
        },
        "defs/together_too/defs.yaml:1 together_too: together is already configured in ",
    ),
}


@pytest.mark.parametrize("case", FILES)
def test_a_file_whose_problem_dagster_ignores_or_reports_without_the_file_name(tmp_path: Path, case: str) -> None:
    files, words = FILES[case]
    written = project.write(tmp_path / "project", files)
    with pytest.raises(Exception) as caught:
        build_defs(project=written, for_ui=False)
    [found] = problems(caught.value, written)
    assert words in found
    shown = build_defs(project=written).resolve_asset_graph()
    parts = [key.path[0] for key in shown.get_all_asset_keys() if key.path[1:] == ["not_loaded"]]
    assert sorted(parts) == sorted(files), "the UI shows them, and loads the others"


def test_a_file_with_another_name_is_not_read_and_reported(tmp_path: Path) -> None:
    written = project.write(tmp_path / "project", {"together": "type: orgdata_dagster.Together\n"})
    [file] = written.glob("*/defs/together/defs.yaml")
    file.rename(file.with_name("def.yaml"))
    (file.parent / "countries.yaml").write_text("- a list of their own\n")
    with pytest.raises(Exception) as caught:
        build_defs(project=written, for_ui=False)
    [found] = problems(caught.value, written)
    assert "defs/together/def.yaml:1 together: is not read, because only defs.yaml is; rename the file" in found


@pytest.mark.parametrize("text", ["123", "1e5", "True", "1.10", "0x1F", "1, 2", "'x'", "None", "007"])
def test_a_text_in_quotes_stays_text(text: str) -> None:
    """Dagster's templating turned it into the number 123, and only the UI refused the file."""
    table = {"name": "contacts", "id": text, "columns": {text: "VARCHAR"}, "description": text}
    [made] = Octolis.resolve_from_yaml(yaml.safe_dump({"tables": [table]})).tables
    assert (made.id, dict(made.columns), made.description) == (text, {text: "VARCHAR"}, text)


def test_templates_are_still_rendered() -> None:
    [table] = Octolis.resolve_from_yaml("tables: [{name: contacts, id: '{{ 40 + 2 }}x'}]").tables
    assert table.id == "42x"


def test_null_switches_limits_and_the_schedule_off(tmp_path: Path) -> None:
    """null once crashed the loading: Dagster compared it with the field's lower bound."""
    text = project.institution_analytics(limits={"concurrent": None, "per_minute": None}, cron=None)
    defs = build_defs(project=project.write(tmp_path / "project", {"institution_analytics": text}), for_ui=False)
    assert [schedule.name for schedule in defs.schedules or ()] == ["retention_due"]
    rule = defs.resources["institution_analytics"].rule()  # type: ignore[index]
    assert (rule.buckets, rule.in_flight) == ((), None)


def test_problems_are_in_the_order_of_the_lines(tmp_path: Path) -> None:
    text = "type: orgdata_dagster.InstitutionAnalytics\nattributes:\n" + (
        "  start_dat: x\n  cron: never\n  tables:\n" + "    - {name: users, key: [id]}\n" * 5 + "    - {nam: users}\n"
    )
    lines = [int(problem.split()[0].rpartition(":")[2]) for problem in problems_of(tmp_path, text)]
    assert lines == sorted(lines)
    assert lines[0] < 10 < lines[-1]
