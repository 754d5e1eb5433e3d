"""What a run shows of a table when its rows have landed."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from orgdata_dagster.orchestration.assets import metadata
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster.warehouse.storage.memory import in_room
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.integration.project import today

USERS = "institution_analytics/users"


def test_a_table_too_wide_for_a_runs_share_of_the_memory_is_shown_with_the_larger_limit(
    home: Home, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """2,000 columns landed inside 1 GB, and then the run failed because their comments and preview did not fit."""
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
