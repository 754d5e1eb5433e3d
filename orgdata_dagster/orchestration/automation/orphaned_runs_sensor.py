"""The sensor `orphaned_runs`: it fails the runs whose process or machine died.

Here: the sensor. Keep out: which runs are dead, and the clean-up (orchestration/instance/orphaned_runs.py).

On PostgreSQL a process counts as dead after 7 s of silence (state/postgres/), in files at once. The run is therefore
failed within 15 s, and within 30 s on a busy machine. Dagster then starts the run again (`run_retries` in
dagster.yaml), and `catch_up` pulls partitions that are still missing.
"""

import dagster as dg

from orgdata_dagster.orchestration.instance.orphaned_runs import at_rest, reap

NAME = "orphaned_runs"
_INTERVAL = 4  # seconds; the daemon looks for sensors that are due every 5, so that this one ticks every 5


@dg.sensor(
    name=NAME,
    minimum_interval_seconds=_INTERVAL,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Fails runs whose process was killed or whose machine is gone, and frees their slots.",
)
def orphaned_runs_sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Look for orphaned runs and clean up.

    The cursor is the newest run after which there was nothing left to do, so that an idle project costs one query.
    """
    newest = next(iter(context.instance.get_run_ids(limit=1)), "none")
    if newest == context.cursor:
        return dg.SkipReason("no run since the last clean-up")
    failed = reap(context.instance)
    if at_rest(context.instance):
        context.update_cursor(newest)
    return dg.SkipReason(
        f"failed {', '.join(run_id[:8] for run_id in failed)}" if failed else "every run has its process"
    )
