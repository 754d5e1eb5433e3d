"""An error in the code of a user's project names the file and the line, and does not affect the other vendors."""

from __future__ import annotations

import re
from pathlib import Path

import dagster as dg
import pytest

from orgdata_dagster.cli import loaded_project, preview
from orgdata_dagster.cli.errors import UserError, lines_of
from orgdata_dagster.orchestration import own_code
from orgdata_dagster.orchestration.reasons import of_failed_step
from orgdata_dagster.project.build import build_defs
from orgdata_dagster.project.isolation import BROKEN
from orgdata_dagster_tests.integration import project
from orgdata_dagster_tests.integration.home import Home

COMPONENT = """
from typing import ClassVar

from orgdata_dagster.orchestration.config.table_options import Table
from orgdata_dagster.orchestration.resources import UndocumentedLimitsResource
from orgdata_dagster.vendors.base.component import VendorComponent
from orgdata_dagster.vendors.base.stream import Stream, target


class TrackerResource(UndocumentedLimitsResource):
    kind: ClassVar[str] = "tracker"
    variables: ClassVar[dict[str, str]] = {"base_url": "BASE_URL"}
    secret_fields: ClassVar[tuple[str, ...]] = ()

    def http(self, observer=None):
        return self.http_client(observer=observer)

    client = http


def pull(client, intake):
    return {}["rows"]


class Tracker(VendorComponent):
    kind: ClassVar[str] = TrackerResource.kind
    tables: list[Table] = [Table(name="projects")]

    def resource(self):
        return TrackerResource.from_variables(account="")

    def stream(self, table):
        return Stream(
            table,
            target("tracker", table, "All projects."),
            description="All projects.",
            file_format="json",
            run=lambda step: step.land(lambda intake: pull(step.client, intake)),
            pulls="whole",
        )
"""
PULLING, STREAMING = '{}["rows"]', 'target("tracker"'


def line_of(text: str, code: str = COMPONENT) -> int:
    return code[: code.index(text)].count("\n") + 1


def code_with(text: str, instead: str) -> str:
    """The component's code with one part replaced."""
    assert COMPONENT.count(text) == 1
    return COMPONENT.replace(text, instead)


def written(root: Path, code: str) -> Path:
    """The project, with this component beside its defs folder; returns the component's file."""
    [defs] = root.glob("*/defs")
    package = defs.parent.name
    (defs.parent / "tracker.py").write_text(code)
    (defs / "tracker").mkdir()
    (defs / "tracker" / "defs.yaml").write_text(f"type: {package}.tracker.Tracker\nattributes: {{}}\n")
    return defs.parent / "tracker.py"


def test_a_component_that_cannot_be_built_does_not_affect_the_others(tmp_path: Path) -> None:
    """The search for clashing names calls the user's code too: its error ended the loading of every vendor."""
    root = project.write(tmp_path, {"institution_analytics": project.institution_analytics()})
    file = written(root, code_with(STREAMING, 'target({}["name"]'))
    graph = build_defs(project=root).resolve_asset_graph()
    shown = graph.get(dg.AssetKey(["tracker", BROKEN])).description or ""
    assert f"KeyError: 'name' (in your own code: {file}:{line_of(STREAMING)})" in shown
    assert dg.AssetKey(["institution_analytics", "users"]) in graph.executable_asset_keys


@pytest.mark.parametrize(
    ("text", "instead", "message"),
    [
        (STREAMING, "target(int('x')", "invalid literal for int()"),
        ("class Tracker(", "class Tracker(Nothing, ", "cannot import"),
        ("    kind: ClassVar[str] = TrackerResource.kind\n", "    kind = {}['kind']\n", "KeyError: 'kind'"),
        (
            "    def resource(self)",
            "    def model_post_init(self, _):\n        1 / 0\n\n    def resource(self)",
            "division",
        ),
    ],
)
def test_the_command_line_names_the_line(home: Home, text: str, instead: str, message: str) -> None:
    file = written(home.write_project(institution_analytics=project.institution_analytics()), code_with(text, instead))
    with pytest.raises(UserError) as raised:
        loaded_project.load()
    assert message in str(raised.value)
    assert f"(in your own code: {file}:" in str(raised.value)
    assert "report" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "instead", "message"),
    [
        ("        return Stream(", "        Stream(", "`stream` of {}.Tracker must return a Stream, not NoneType"),
        ("return TrackerResource", "TrackerResource", "`resource` of {}.Tracker must return a VendorResource"),
        ("    def stream(", "    def strem(", "{}.Tracker must define `stream`"),
    ],
)
def test_what_a_component_returns_is_checked(home: Home, text: str, instead: str, message: str) -> None:
    file = written(home.write_project(), code_with(text, instead))
    with pytest.raises(UserError, match=re.escape(message.format(f"{file.parent.name}.tracker"))):
        loaded_project.load()


def test_a_pull_that_returns_nothing_is_one_sentence(home: Home) -> None:
    home.set(TRACKER_BASE_URL="http://127.0.0.1:9")
    written(home.write_project(), code_with("return " + PULLING, "pass"))
    [failed] = [event for event in home.materialize("tracker/projects").all_events if event.is_step_failure]
    assert (of_failed_step(failed) or "").startswith("the pull must return a Pulled, not NoneType. ")


def test_a_failed_run_names_the_line(home: Home) -> None:
    home.set(TRACKER_BASE_URL="http://127.0.0.1:9")
    file = written(home.write_project(), COMPONENT)
    [failed] = [event for event in home.materialize("tracker/projects").all_events if event.is_step_failure]
    assert of_failed_step(failed) == f"KeyError: 'rows' (in your own code: {file}:{line_of(PULLING)})"


def test_the_projects_package_may_be_installed(home: Home) -> None:
    package = next(home.write_project().glob("*/defs")).parent.name
    installed = "/srv/.venv/lib/python3.13/site-packages"
    stack = [
        f'  File "{installed}/{name}/a.py", line {line}, in f\n'
        for line, name in enumerate(("dagster", package, "httpx"))
    ]
    assert own_code.place_in(stack) == f"{installed}/{package}/a.py:1"
    assert own_code.place_in(stack[::2]) is None


def test_a_preview_names_the_line(home: Home) -> None:
    home.set(TRACKER_BASE_URL="http://127.0.0.1:9")
    file = written(home.write_project(), COMPONENT)
    made = preview.preview(*preview.find("tracker/projects"))
    assert made.error == f"KeyError: 'rows' (in your own code: {file}:{line_of(PULLING)})"


@pytest.mark.usefixtures("home")
def test_an_error_of_orgdata_itself_is_to_be_reported() -> None:
    with pytest.raises(TypeError) as raised:
        build_defs(project=1)  # type: ignore[arg-type]
    [line] = lines_of(raised.value)
    assert line.startswith("an unexpected error, ")
    assert line.endswith("error.log; please report it")
