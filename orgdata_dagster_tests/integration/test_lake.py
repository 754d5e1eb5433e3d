"""The commands on a lake on PostgreSQL: the same tables, and the password of its catalog appears nowhere."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from orgdata_dagster.orchestration.instance import lake_maintenance
from orgdata_dagster.orchestration.resources import WarehouseResource
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster_tests import warehouses
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.integration.project import institution_analytics, today
from orgdata_dagster_tests.integration.truth import difference
from orgdata_dagster_tests.postgres import PASSWORD, Server

USERS = "institution_analytics/users"


def test_the_commands_work_on_a_lake_and_say_no_password(
    home: Home, sandbox: Sandbox, postgres: Server, tmp_path: Path
) -> None:
    warehouses.need_lakes()
    database = postgres.new_database()
    home.set(ORGDATA_WAREHOUSE=f"ducklake:postgres:{postgres.url(database)}?DATA_PATH={tmp_path}/lake")
    home.write_project(institution_analytics=institution_analytics(tables=[{"name": "users", "key": ["id"]}]))

    commands = [
        ("doctor", "--offline"), ("pull", USERS, "--from", today(back=5)), ("status",), ("doctor", "--offline"),
        ("query", "SELECT count(*) AS n FROM institution_analytics.users", "--json"),
    ]  # fmt: skip
    done = [home.orgdata(*words) for words in commands]
    assert [each.status for each in done] == [0] * len(commands), done
    assert "nothing has been pulled yet" in done[0].everything
    assert f"ducklake:postgres:user=orgdata dbname={database}" in done[2].out
    assert "no process is writing" in done[3].out
    users = sandbox.institution_analytics.data_sets["users"].truth()
    assert difference(home.warehouse, "institution_analytics.users", users) == {}
    assert str(home.sql("SELECT count(*) FROM institution_analytics.users")[0][0]) in done[4].out

    home.set(ORGDATA_WAREHOUSE=f"ducklake:postgres:{postgres.url('nowhere')}?DATA_PATH={tmp_path}/lake")
    wrong = [home.orgdata(*words) for words in (("status",), ("pull", USERS))]
    assert all(each.status for each in wrong), wrong
    assert all('database "nowhere" does not exist' in each.everything for each in wrong), wrong

    assert [each for each in (*done, *wrong) if PASSWORD in each.everything] == []
    assert [path for path, content in home.everything() if PASSWORD.encode() in content] == []


@pytest.mark.usefixtures("sandbox")
def test_maintenance_shows_its_figures_and_is_scheduled_for_lakes_only(home: Home) -> None:
    warehouses.need_lakes()
    home.write_project(institution_analytics=institution_analytics(tables=[{"name": "users", "key": ["id"]}]))
    assert "lake_maintenance" not in _jobs()
    home.set(ORGDATA_WAREHOUSE=f"ducklake:sqlite:{home.folder}/catalog?DATA_PATH={home.folder}/lake")
    assert "lake_maintenance" in _jobs()
    for _ in range(2):
        assert home.materialize(USERS, today(back=2)).success
    home.set(ORGDATA_KEEP_SNAPSHOTS="0s", ORGDATA_KEEP_UNUSED_FILES="0s")
    with dg.instance_for_test() as instance:
        done = lake_maintenance.lake_maintenance_job.execute_in_process(
            instance=instance, resources={"warehouse": WarehouseResource()}
        )
    [output] = [event for event in done.all_events if event.event_type == dg.DagsterEventType.STEP_OUTPUT]
    figures = {name: value.value for name, value in output.step_output_data.metadata.items()}
    assert min(figures[name] for name in ("files_merged", "snapshots_expired", "files_deleted", "files", "bytes")) > 0
    assert figures["keep_snapshots"] == "0s"


def _jobs() -> set[str]:
    return {job.name for job in lake_maintenance.definitions().jobs or ()}
