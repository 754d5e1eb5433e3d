"""Old records are deleted, unless they are still needed."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from orgdata_dagster.orchestration.instance.retention import KEEP_REQUESTS, KEPT, drop_old_run_logs, retention_job
from orgdata_dagster.orchestration.resources import WarehouseResource
from orgdata_dagster.settings import SettingsError
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.integration.project import institution_analytics, today

NOW = datetime.now(UTC)


@dg.asset(partitions_def=dg.StaticPartitionsDefinition(["a"]))
def landed(context: dg.AssetExecutionContext) -> None:
    context.log.info("what it has to say")


def age_ledger(home: Home, days: int) -> None:
    with home.warehouse.writing() as connection:
        for table, column in (("loads", "loaded_at"), ("requests", "sent_at")):
            connection.execute(f"UPDATE _orgdata.{table} SET {column} = {column} - INTERVAL {days} DAY")


def counts(home: Home) -> tuple[int, int]:
    with home.warehouse.reading() as connection:
        [found] = connection.execute(
            "SELECT (SELECT count(*) FROM _orgdata.loads), (SELECT count(*) FROM _orgdata.requests)"
        ).fetchall()
    return found[0], found[1]


@pytest.mark.usefixtures("sandbox")
def test_old_requests_and_loads_are_deleted_except_the_newest_load_of_each_partition(home: Home) -> None:
    home.write_project(institution_analytics=institution_analytics(tables=[{"name": "users", "key": ["id"]}]))
    for _ in range(2):
        assert home.materialize("institution_analytics/users", today(back=3), today(back=1)).success
        age_ledger(home, 500)  # the first pull is 1,000 days old then, the second 500
    loads, requests = counts(home)
    assert loads == 6
    assert requests
    with dg.instance_for_test() as instance:
        done = retention_job.execute_in_process(instance=instance, resources={"warehouse": WarehouseResource()})
    assert done.success
    assert counts(home) == (3, 0)
    [output] = [event for event in done.all_events if event.event_type == dg.DagsterEventType.STEP_OUTPUT]
    figures = {name: value.value for name, value in output.step_output_data.metadata.items()}
    assert (figures["loads_removed"], figures["requests_removed"]) == (3, requests)
    assert home.materialize("institution_analytics/users", today(back=3), today(back=1)).success


def test_logs_of_old_runs_are_deleted_and_the_events_of_assets_stay(tmp_path: Path) -> None:
    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
        run = dg.materialize([landed], instance=instance, partition_key="a")
        assert instance.all_logs(run.run_id)
        assert drop_old_run_logs(instance, NOW - timedelta(days=1)) == (0, 0)
        logs, freed = drop_old_run_logs(instance, datetime.now(UTC) + timedelta(seconds=1))
        assert logs == 1
        assert freed > 0
        assert instance.get_materialized_partitions(dg.AssetKey("landed")) == {"a"}
        assert not instance.all_logs(run.run_id)


def test_the_error_for_an_invalid_duration_names_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    assert KEPT[KEEP_REQUESTS] == timedelta(days=30)
    monkeypatch.setenv(KEEP_REQUESTS, "a month")
    with pytest.raises(SettingsError, match="ORGDATA_KEEP_REQUESTS: 'a month' is not a duration"):
        KEPT[KEEP_REQUESTS]
