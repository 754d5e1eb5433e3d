"""After a pull was stopped: close its runs, and report to Dagster what they have landed.

Here: `close_runs`, and counting landed partitions. Keep out: stopping the workers (workers.py), signals (signals.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import dagster as dg
import duckdb

from orgdata_dagster.cli.workers import Task
from orgdata_dagster.counting import counted
from orgdata_dagster.orchestration.instance.setup import shared_instance
from orgdata_dagster.orchestration.instance.unreported import PATIENCE_OF_STOPPED, report_landed
from orgdata_dagster.orchestration.resources import WarehouseResource
from orgdata_dagster.orchestration.tags import PULL_BEGAN_TAG, RESUME_TAG
from orgdata_dagster.warehouse.errors import WarehouseError
from orgdata_dagster.warehouse.ledger import coverage
from orgdata_dagster.warehouse.names import TableName


def close_runs(pull: str, by: str) -> None:
    """Close the runs of a pull whose workers had to be killed, and report what all its runs have landed.

    pull: the value of its PULL_BEGAN_TAG.
    by: for the message: what stopped it, such as "stopped by Ctrl-C".
    """
    with shared_instance() as instance:
        for run in _runs(instance, pull):
            if not run.is_finished:
                instance.report_run_canceled(run, f"The command was {by}; it did not end in time and was killed.")
                instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
        ended_early = [run for run in _runs(instance, pull) if run.is_failure_or_canceled]
        report_landed(instance, ended_early, PATIENCE_OF_STOPPED)


def landed(tasks: Sequence[Task], sizes: Mapping[str, int]) -> str:
    """How many partitions of a pull have landed, in words.

    sizes: asset -> number of requested partitions.
    """
    total = sum(sizes.values())
    warehouse = WarehouseResource(patience=PATIENCE_OF_STOPPED, queue_patience=PATIENCE_OF_STOPPED).open()
    try:
        with warehouse.reading() as connection:
            found = sum(_landed(connection, task) for task in tasks)
    except (WarehouseError, duckdb.Error):
        found = 0
    return f"{found} of {counted(total, 'partition', 'have')} landed"


def _runs(instance: dg.DagsterInstance, pull: str) -> Sequence[dg.DagsterRun]:
    return instance.get_runs(dg.RunsFilter(tags={PULL_BEGAN_TAG: pull}))


def _landed(connection: duckdb.DuckDBPyConnection, task: Task) -> int:
    path = task.asset.split("/")
    if len(path) != 2:  # one of the user's own assets
        return 0
    since = datetime.fromisoformat(task.tags.get(RESUME_TAG) or task.tags[PULL_BEGAN_TAG].split()[0])
    found = coverage.landed_since(connection, TableName(*path), since)
    return sum(task.first is None or (name is not None and task.first <= name <= str(task.last)) for name in found)
