"""Retention: a daily job that deletes old records and reports how many it deleted.

Here: the job `retention`, its schedule and its variables. Add here: other records that accumulate.
Keep out: deleting rows (warehouse/ledger/retention.py) and files of Dagster (dagster_internals/run_logs.py).

Tables, coverage, schema changes and materializations are never deleted.
"""

from datetime import UTC, datetime

import dagster as dg

from orgdata_dagster.dagster_internals.run_logs import drop_run_log
from orgdata_dagster.orchestration.assets.interrupts import uninterrupted
from orgdata_dagster.orchestration.instance.daily_jobs import Kept, every_day
from orgdata_dagster.orchestration.resources import WarehouseResource
from orgdata_dagster.warehouse.ledger.retention import prune

KEEP_REQUESTS = "ORGDATA_KEEP_REQUESTS"
KEEP_LOADS = "ORGDATA_KEEP_LOADS"
KEEP_RUN_LOGS = "ORGDATA_KEEP_RUN_LOGS"
KEPT = Kept({KEEP_REQUESTS: "30d", KEEP_LOADS: "400d", KEEP_RUN_LOGS: "90d"})

_RUNS_AT_ONCE = 500
_FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


@dg.op(name="remove_old_records", out=dg.Out(dg.Nothing))
@uninterrupted
def _remove(context: dg.OpExecutionContext, warehouse: WarehouseResource) -> dg.Output[None]:
    now = datetime.now(UTC)
    removed = {"requests": 0, "loads": 0}
    opened = warehouse.open()
    if opened.exists:
        with opened.transaction() as connection:
            pruned = prune(
                connection,
                requests_before=now - KEPT[KEEP_REQUESTS],
                loads_before=now - KEPT[KEEP_LOADS],
            )
        removed = {"requests": pruned.requests, "loads": pruned.loads}
    logs, freed = drop_old_run_logs(context.instance, now - KEPT[KEEP_RUN_LOGS])
    context.log.info(
        f"removed {removed['requests']} requests and {removed['loads']} loads from the ledger, and the logs of {logs} "
        f"runs ({freed / 1e6:.1f} MB)"
    )
    return dg.Output(
        None,
        metadata={
            "requests_removed": removed["requests"],
            "loads_removed": removed["loads"],
            "run_logs_removed": logs,
            "run_log_bytes_removed": freed,
            **KEPT.metadata(),
        },
    )


@dg.job(name="retention", description="Removes old requests and loads from the ledger, and the logs of old runs.")
def retention_job() -> None:
    """One op: the three removals belong together."""
    _remove()


retention_schedule = every_day(
    retention_job,
    "20 3 * * *",
    "Once a day; how long records are kept is set by ORGDATA_KEEP_REQUESTS, _LOADS and _RUN_LOGS.",
)


def drop_old_run_logs(instance: dg.DagsterInstance, before: datetime) -> tuple[int, int]:
    """Remove the logs of runs that were created before an instant; returns their number, and the bytes freed."""
    logs, freed, cursor = 0, 0, None
    while True:
        found = dg.RunsFilter(created_before=before, statuses=_FINISHED)
        records = instance.get_run_records(found, limit=_RUNS_AT_ONCE, cursor=cursor)
        for record in records:
            size = drop_run_log(instance, record.dagster_run.run_id)
            if size is None:
                return 0, 0
            logs, freed = logs + (size > 0), freed + size
        if len(records) < _RUNS_AT_ONCE:
            return logs, freed
        cursor = records[-1].dagster_run.run_id
