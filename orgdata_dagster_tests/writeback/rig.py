"""A warehouse with a table `marts.people`, a SQLite file with a table `people`, and runs that keep them equal.

Here: the rig of the tests of the engine. Add here when: two tests need it. Keep out: assertions.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg

from orgdata_dagster.orchestration.resources import WarehouseResource
from orgdata_dagster.orchestration.tags import ONLY_REJECTED_TAG
from orgdata_dagster.writeback.asset import build_asset
from orgdata_dagster.writeback.columns import ColumnMapping
from orgdata_dagster.writeback.destination import Pace
from orgdata_dagster_tests.writeback.sqlite_table import SqliteFile, SqliteSync, SqliteTable

SOURCE = "SELECT id, name, points FROM marts.people ORDER BY id"
_PEOPLE = """
CREATE SCHEMA IF NOT EXISTS marts;
CREATE OR REPLACE TABLE marts.people AS
    SELECT i AS id, 'p' || i AS name, CAST(i AS HUGEINT) AS points FROM range({rows}) AS t(i)
"""
_TABLE = "CREATE TABLE IF NOT EXISTS people (id INTEGER PRIMARY KEY, name TEXT, points INTEGER CHECK (points >= 0))"
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass
class Done:
    """The results of a run."""

    success: bool
    metadata: dict[str, Any] = field(default_factory=dict)
    passed: bool = False  # the check `rejected`
    failure: str = ""


class Rig:
    """Runs of the sync `people` from the warehouse in ORGDATA_HOME to the SQLite file `file`."""

    def __init__(self, file: Path, instance: dg.DagsterInstance, rows: int | None = 100) -> None:
        self.file = file
        self.instance = instance
        self.warehouse = WarehouseResource()
        self.there(_TABLE)
        if rows is not None:
            self.write(_PEOPLE.format(rows=rows))

    def run(
        self,
        *faults: str,
        rejected: bool = False,
        row_by_row: bool = True,
        batch_size: int = 10,
        max_rejected: float = 0.1,
        pace: Callable[[Any], Pace] | None = None,
    ) -> Done:
        """Run the sync once. `faults`: see SqliteTable."""
        table = SqliteTable("people", ColumnMapping(("id",)), batch_size, row_by_row, list(faults))
        options = {"name": "out", "source": SOURCE, "dry_run": False, "max_rejected": max_rejected}
        sync = SqliteSync(**options, file=str(self.file), table="people", key=["id"])
        asset = build_asset(sync, table, pace=pace)
        result = dg.materialize(
            [asset],
            resources={"shop_file": SqliteFile(path=str(self.file)), "warehouse": self.warehouse},
            instance=self.instance,
            raise_on_error=False,
            run_config=_QUIET,
            tags={ONLY_REJECTED_TAG: str(rejected).lower()},
        )
        if not result.success:
            failed = next(event for event in result.all_node_events if event.is_step_failure)
            data = failed.step_failure_data
            message = data.user_failure_data.description if data.user_failure_data else data.error
            return Done(False, failure=str(message))
        (done,) = result.asset_materializations_for_node("shop__out_table")
        (check,) = result.get_asset_check_evaluations()
        return Done(True, {name: value.value for name, value in done.metadata.items()}, check.passed)

    def write(self, sql: str) -> None:
        """Change the warehouse."""
        with self.warehouse.open().writing() as connection:
            connection.execute(sql)

    def sql(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of the warehouse."""
        with self.warehouse.open().reading() as connection:
            return connection.execute(sql).fetchall()

    def there(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of the SQLite file, or a change of it."""
        with closing(sqlite3.connect(self.file)) as connection, connection:
            return connection.execute(sql).fetchall()

    def differences(self) -> set[tuple[Any, ...]]:
        """Rows that only one side has; empty if the table equals the SELECT."""
        return set(self.sql(SOURCE)) ^ set(self.there("SELECT id, name, points FROM people"))
