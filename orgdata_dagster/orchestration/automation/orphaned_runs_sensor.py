"""The sensor `orphaned_runs`: it fails the runs whose process or machine died, within 30 s.

Here: the sensor. Keep out: which runs are dead, and the clean-up (orchestration/instance/orphaned_runs.py).

Dagster then starts the run again (`run_retries` in dagster.yaml), and `catch_up` pulls partitions that are still
missing.
"""

import dagster as dg

from orgdata_dagster.orchestration.instance.orphaned_runs import reap

NAME = "orphaned_runs"
_INTERVAL = 10  # seconds; a process is known to be dead after 8 (state/postgres/), and the daemon looks every 5


@dg.sensor(
    name=NAME,
    minimum_interval_seconds=_INTERVAL,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Fails runs whose process was killed or whose machine is gone, and frees their slots.",
)
def orphaned_runs_sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Look for orphaned runs and clean up."""
    failed = reap(context.instance)
    return dg.SkipReason(
        f"failed {', '.join(run_id[:8] for run_id in failed)}" if failed else "every run has its process"
    )
