"""All readers of the ledger at once: doctor, plan, the sensor `catch_up`, and the status of the tables.

Here: `looked_at`. Keep out: what is expected of a table's status.
"""

from __future__ import annotations

from datetime import UTC, datetime

import dagster as dg

from orgdata_dagster.cli import loaded_project
from orgdata_dagster.cli.doctor import Opened, examine
from orgdata_dagster.cli.plan import plan
from orgdata_dagster.orchestration.automation.catch_up import catch_up_sensor
from orgdata_dagster.overview.table_statuses import TableStatus, table_statuses
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.ticks import tick_sensor


def looked_at(home: Home, *, wrong: str) -> tuple[dict[str, TableStatus], dg.SensorResult]:
    """The status of each table, and what `catch_up` requests. Nothing fails, and doctor finds no problem.

    wrong: subjects for which doctor does report a problem, apart from missing partitions.
    """
    loaded = loaded_project.load()
    with home.instance() as instance:
        found = [one for one in examine(Opened(loaded, instance), ask=False) if not one.good]
        ticked = tick_sensor(instance, loaded.defs, catch_up_sensor())
    assert [one for one in found if "missing" not in one.what and one.about != wrong] == [], found
    today = datetime.now(UTC).date()
    assert plan(loaded, loaded.keys, today, today).assets
    return {one.table: one for one in table_statuses(loaded.outline())}, ticked
