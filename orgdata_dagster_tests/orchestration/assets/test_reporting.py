"""What a run shows of a table after its rows were stored."""

from __future__ import annotations

from typing import Any

import dagster as dg
import duckdb
import pytest

from orgdata_dagster.dagster_internals import SWITCH
from orgdata_dagster.orchestration.assets import each_partition, metadata, reporting
from orgdata_dagster.orchestration.assets.progress import Progress, ProgressReport, watch
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster.warehouse.storage.memory import in_room
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.integration.project import today

USERS = "institution_analytics/users"


def test_a_table_too_wide_for_a_runs_memory_is_shown_with_the_larger_limit(
    home: Home, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """2,000 columns were stored within 1 GB, but then the run failed because their comments and preview did not fit."""
    assert sandbox.url
    tries, real = list[bool](), metadata.of_table

    def wide(connection: duckdb.DuckDBPyConnection, *rest: Any) -> metadata.Metadata:
        tries.append(in_room())
        if not in_room():
            raise duckdb.OutOfMemoryException("failed to allocate data of size 32.0 KiB (64.0 MiB/64.0 MiB used)")
        return real(connection, *rest)

    monkeypatch.setattr(metadata, "of_table", wide)
    done = home.materialize(USERS, today(back=1))
    assert done.success
    assert tries == [False, True]
    [event] = done.get_asset_materialization_events()
    assert "dagster/column_schema" in event.step_materialization_data.materialization.metadata


@pytest.mark.parametrize("internals", ["on", "off"])
def test_each_day_is_reported_once_while_the_run_continues(
    home: Home, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, internals: str
) -> None:
    """The UI once showed none of a backfill's days until the last one was stored."""
    assert sandbox.url
    monkeypatch.setenv(SWITCH, internals)
    monkeypatch.setattr(each_partition, "MOST_PARTITIONS", 2)
    monkeypatch.setattr(reporting, "EVERY", 0)
    seen = list[list[str]]()
    with home.instance() as instance:
        wanted = dg.AssetKey(USERS.split("/"))

        def look(report: ProgressReport) -> None:
            if isinstance(report, Progress) and report.done:
                seen.append(reported(instance, wanted))

        with watch(look):
            done = home.materialize(USERS, today(back=4), today())
        assert done.success
        days = [today(back=back) for back in (4, 3, 2, 1, 0)]
        assert sorted(reported(instance, wanted)) == days  # each once
        assert reported(instance, wanted)[-1] == days[-1]
        assert [event.partition for event in done.get_asset_materialization_events()] == reported(instance, wanted)
    assert [len(some) for some in seen] == ([2, 4, 4] if internals == "on" else [0, 0, 0])


def reported(instance: dg.DagsterInstance, key: dg.AssetKey) -> list[str]:
    """The partitions that Dagster knows to be materialized, in order."""
    records = instance.fetch_materializations(key, limit=100, ascending=True).records
    return [str(record.partition_key) for record in records]
