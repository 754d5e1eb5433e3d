"""The definitions made from the vendor's YAML, as a whole, so that an unintended change is detected."""

from pathlib import Path

import dagster as dg
import pytest

from orgdata_dagster.project.build import build_defs
from orgdata_dagster_tests.integration import project

FIRST = "2026-01-01"


@pytest.fixture
def defs(tmp_path: Path) -> dg.Definitions:
    text = project.institution_analytics(start_date=FIRST)
    return build_defs(project=project.write(tmp_path / "project", {"institution_analytics": text}))


def test_assets_checks_schedules_and_pools(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    assert {
        key.to_user_string(): (node.group_name, sorted(node.kinds), sorted(node.pools or ()), node.partitions_def)
        for key, node in ((key, graph.get(key)) for key in graph.materializable_asset_keys)
    } == {
        f"institution_analytics/{name}": (
            "institution_analytics",
            ["csv", "duckdb", "institution_analytics"],
            ["institution_analytics_api"],
            dg.DailyPartitionsDefinition(FIRST, end_offset=1, timezone="UTC"),
        )
        for name in ("courses", "events", "users")
    }
    assert {(key.asset_key.path[-1], key.name) for key in graph.asset_check_keys} == {
        (name, check)
        for name in ("courses", "events", "users")
        for check in ("coverage", "freshness", "keys", "row_count", "schema", "volume")
    }
    [schedule] = [each for each in defs.schedules or [] if each.name != "retention_due"]
    assert isinstance(schedule, dg.ScheduleDefinition)
    assert (schedule.name, schedule.cron_schedule, schedule.execution_timezone, schedule.default_status) == (
        "institution_analytics_due",
        "15 */4 * * *",
        "UTC",
        dg.DefaultScheduleStatus.RUNNING,
    )
    assert sorted(defs.resources or {}) == ["institution_analytics", "warehouse"]


def test_the_ui_sees_the_variables_name_and_not_its_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSTITUTION_ANALYTICS_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("INSTITUTION_ANALYTICS_API_KEY", "a very secret key")
    text = project.institution_analytics()
    defs = build_defs(project=project.write(tmp_path / "project", {"institution_analytics": text}))
    resource = (defs.resources or {})["institution_analytics"]
    shown = str(resource.get_resource_definition().config_schema.default_value)  # type: ignore[attr-defined]
    assert "INSTITUTION_ANALYTICS_API_KEY" in shown
    assert "a very secret key" not in shown + repr(resource)


def test_a_closed_day_can_be_backfilled_with_others_in_one_run(defs: dg.Definitions) -> None:
    asset = defs.resolve_assets_def(["institution_analytics", "users"])
    assert asset.backfill_policy == dg.BackfillPolicy.multi_run(400)
