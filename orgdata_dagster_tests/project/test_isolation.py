"""If one vendor's files are broken, the others work, and every command shows which vendor is broken and why."""

from pathlib import Path

import dagster as dg
import pytest

from orgdata_dagster.cli import loaded_project
from orgdata_dagster.cli.errors import UserError
from orgdata_dagster.project.build import build_defs
from orgdata_dagster.project.isolation import BROKEN
from orgdata_dagster_tests.integration import project
from orgdata_dagster_tests.integration.home import Home

TOGETHER = "type: orgdata_dagster.Together\nattributes:\n  "


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TOGETHER + "nonsense: 1\n", "defs.yaml:3 together.nonsense: unknown field"),
        (TOGETHER + "tables: [\n", "defs.yaml:4 not valid YAML"),
        ("type: orgdata_dagster.Togehter\n", "unknown type 'orgdata_dagster.Togehter'"),
    ],
)
def test_a_broken_vendor_does_not_affect_the_others(
    tmp_path: Path, text: str, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    defs = build_defs(
        project=project.write(tmp_path, {"institution_analytics": project.institution_analytics(), "together": text})
    )
    dg.Definitions.validate_loadable(defs)
    assert [schedule.name for schedule in defs.schedules or ()] == ["institution_analytics_due", "retention_due"]  # type: ignore[union-attr]
    graph = defs.resolve_asset_graph()
    shown = graph.get(dg.AssetKey(["together", BROKEN]))
    assert (shown.group_name, shown.is_executable) == ("together", False)
    assert message in (shown.description or "")
    assert message in caplog.text
    assert dg.AssetKey(["institution_analytics", "users"]) in graph.executable_asset_keys


def test_the_ui_starts_without_the_broken_vendor(home: Home) -> None:
    """The command line refuses such a project, but the UI must start, so that the other vendors stay up to date."""
    broken = TOGETHER + "nonsense: 1\n"
    home.write_project(institution_analytics=project.institution_analytics(), together=broken)
    with pytest.raises(UserError, match=r"together\.nonsense"):
        loaded_project.load()
    assert set(loaded_project.load(without_broken=True).resources) == {"institution_analytics", "warehouse"}


def test_a_broken_python_file_does_not_affect_the_others(tmp_path: Path) -> None:
    root = project.write(tmp_path, {"institution_analytics": project.institution_analytics()})
    [defs_folder] = root.glob("*/defs")
    (defs_folder / "marts.py").write_text("import nothing_of_the_kind\n")
    graph = build_defs(project=root).resolve_asset_graph()
    assert "No module named 'nothing_of_the_kind'" in (graph.get(dg.AssetKey(["marts", BROKEN])).description or "")
    assert len(graph.executable_asset_keys) == 3
