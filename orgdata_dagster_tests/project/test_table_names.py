"""Two entries with the same table name are refused before anything is loaded, with the lines of both."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from orgdata_dagster.project.build import build_defs
from orgdata_dagster.project.file_problems import ProjectWrong
from orgdata_dagster.project.isolation import BROKEN
from orgdata_dagster.project.table_names import clashes
from orgdata_dagster.project.yaml_errors import problems
from orgdata_dagster_tests.integration import project


def text(kind: str, **attributes: Any) -> str:
    return yaml.safe_dump({"type": f"orgdata_dagster.{kind}", "attributes": attributes}, sort_keys=False)


def data_sets(*names: str, key: list[str] | None = None) -> str:
    return project.institution_analytics(tables=[{"name": name, "key": key or []} for name in names])


def entities(*names: str) -> str:
    listed = [{"name": name, "path": "/x", "paging": "page", "key": ["id"]} for name in names]
    return text("Accutics", start_date="2026-01-01", tables=listed)


def datasets(*names: str) -> str:
    return text("Octolis", tables=[{"name": name, "id": "abc"} for name in names])


def sync(name: str, kind: str = "OctolisSync", **more: Any) -> str:
    return text(kind, name=name, source="select 1 as id", **more)


CLASHES = {
    "another case": ({"institution_analytics": data_sets("Users", "users")}, "institution_analytics.users"),
    "the view of the newest rows": (
        {"institution_analytics": data_sets("users", "Users_current", key=["id"])},
        "institution_analytics.Users_current",
    ),
    "two folders of one vendor": (
        {"institution_analytics": data_sets("users"), "more": data_sets("USERS")},
        "institution_analytics is already configured",
    ),
    "two documents of one file": (
        {"institution_analytics": data_sets("users") + "---\n" + data_sets("users")},
        "institution_analytics is already configured",
    ),
    "entities": ({"accutics": entities("records", "Records")}, "accutics.Records"),
    "merges": ({"octolis": datasets("people", "people_merges")}, "octolis.people_merges"),
    "results of a sync": (
        {"octolis": datasets("Out_Results"), "out": sync("out", dataset="abc", key=["id"])},
        "octolis.out_results",
    ),
    "a sync and a webhook": (
        {"one": sync("out", dataset="abc", key=["id"]), "two": sync("OUT", "OctolisWebhook", webhook_id="w")},
        "octolis.OUT_results",
    ),
}


@pytest.mark.parametrize("case", CLASHES)
def test_two_entries_of_one_name_are_refused_with_both_lines(tmp_path: Path, case: str) -> None:
    """Each of two pulls once deleted the other's rows, and both were shown as complete."""
    files, name = CLASHES[case]
    written = project.write(tmp_path / "project", files)
    with pytest.raises(ProjectWrong) as raised:
        build_defs(project=written, for_ui=False)
    line = problems(raised.value, written)[0]
    assert name.lower() in line.lower()
    assert line.count("defs.yaml:") == 2
    assert "give one of them another name" in line


def test_the_line_is_the_one_of_the_entry(tmp_path: Path) -> None:
    written = project.write(tmp_path, {"institution_analytics": data_sets("users", "courses", "Users")})
    [(line, files)] = clashes(written).items()
    [file] = files
    lines = file.read_text().splitlines()
    numbers = [int(part.split(" ")[0]) for part in line.split("defs.yaml:")[1:]]
    found = ["".join(lines[number - 1 : number + 2]) for number in numbers]
    assert "Users" in found[0]
    assert "users" in found[1]
    assert "tables[2]" in line
    assert "tables[0]" in line


@pytest.mark.parametrize(
    "files",
    [
        {"institution_analytics": data_sets("users", "users_current")},  # no key, no view
        {"institution_analytics": data_sets("users"), "accutics": entities("users")},  # two vendors, two schemas
        {"octolis": datasets("people", "people_results")},
    ],
)
def test_names_that_do_not_clash(tmp_path: Path, files: dict[str, str]) -> None:
    assert clashes(project.write(tmp_path, files)) == {}


def test_the_ui_shows_the_files_that_clash_and_keeps_the_others(tmp_path: Path) -> None:
    files = {"institution_analytics": data_sets("users", "Users"), "octolis": datasets("people")}
    graph = build_defs(project=project.write(tmp_path, files)).resolve_asset_graph()
    shown = graph.get(dg.AssetKey(["institution_analytics", BROKEN]))
    assert "would be the same as" in (shown.description or "")
    assert dg.AssetKey(["octolis", "people"]) in graph.executable_asset_keys
