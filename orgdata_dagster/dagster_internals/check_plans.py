"""Planned checks without a result, which are deleted.

Here: `forget_plans`, for a run that has failed; `install`, for a check that has a result; `delete_plans`, for one
check. Keep out: storing results (event_log.py); which runs ended early (orchestration/instance/unreported.py).

Why: a run plans its checks when it is created, each once per partition, although a check without partitions has one
result. The UI shows the other plans as skipped for ever. If the run fails before it evaluates a check, the UI shows the
plan as a failed check, although nothing is known to be wrong with the data. There is no public way to delete a plan.
Fallback: the UI shows them.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any

import dagster as dg

from orgdata_dagster.dagster_internals import NotThere, private

if TYPE_CHECKING:
    from sqlalchemy import Connection, Delete


def forget_plans(storage: Any, run_id: str) -> None:
    """Delete the checks that a run has planned and not evaluated. `storage`: an event log in a SQL database."""
    with suppress(NotThere), private("table of check results"):
        from dagster._core.events import AssetCheckEvaluationPlanned
        from dagster._core.storage.event_log import SqlEventLogStorage

        if not isinstance(storage, SqlEventLogStorage):
            return
        planned = storage.get_records_for_run(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED)
        found = [record.event_log_entry.get_dagster_event().event_specific_data for record in planned.records]
        checks = {(plan.asset_key, plan.check_name) for plan in found if isinstance(plan, AssetCheckEvaluationPlanned)}
        if checks:
            with storage.index_connection() as connection:
                for key, name in checks:
                    delete_plans(connection, run_id, key, name)


def install() -> None:
    """Make the result of a check replace all of its plans in the run. Can be called repeatedly."""
    with suppress(NotThere), private("table of check results"):
        from dagster import AssetCheckEvaluation
        from dagster._core.storage.event_log import SqlEventLogStorage

        _statement()  # imported now, because a result must not fail for it
        original = SqlEventLogStorage.store_asset_check_event
        if original.__module__ == __name__:
            return

        def store(self: SqlEventLogStorage, event: dg.EventLogEntry, event_id: int | None) -> None:
            original(self, event, event_id)
            found = event.get_dagster_event().event_specific_data
            if isinstance(found, AssetCheckEvaluation) and found.partition is None and event.run_id:
                with self.index_connection() as connection:
                    delete_plans(connection, event.run_id, found.asset_key, found.check_name)

        SqlEventLogStorage.store_asset_check_event = store  # type: ignore[method-assign]


def delete_plans(connection: Connection, run_id: str, key: dg.AssetKey, check: str) -> None:
    """Delete the plans of a check in a run. There is one, or one per partition."""
    values = {"_run_id": run_id, "_asset_key": key.to_string(), "_check_name": check}
    connection.execute(_statement(), values)


@cache
def _statement() -> Delete:
    from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
    from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable
    from sqlalchemy import bindparam, delete

    table = AssetCheckExecutionsTable.c
    return delete(AssetCheckExecutionsTable).where(
        table.run_id == bindparam("_run_id"),
        table.asset_key == bindparam("_asset_key"),
        table.check_name == bindparam("_check_name"),
        table.execution_status == AssetCheckExecutionRecordStatus.PLANNED.value,
    )
