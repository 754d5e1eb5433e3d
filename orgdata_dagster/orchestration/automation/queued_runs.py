"""Runs that are queued or in progress, so that nothing is pulled twice.

Here: finding them by asset and by schedule. Keep out: launching runs (schedules.py, change_sensor.py, catch_up.py).

A run is NOT_STARTED for a moment between its creation and the queue, and remains so if the daemon was killed in that
moment. It is therefore considered for some minutes only, and not at all for the schedule that created it, because the
interrupted tick is repeated and queues the run.
"""

from datetime import UTC, datetime, timedelta

import dagster as dg

from orgdata_dagster.orchestration.tags import SCHEDULE_NAME_TAG

_WAITING = (dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTING)
_GOING = (dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING)
_MOMENT = timedelta(minutes=5)


def under_way(instance: dg.DagsterInstance, now: datetime | None = None) -> set[dg.AssetKey]:
    """The assets that a queued run or a run in progress pulls."""
    since = (now or datetime.now(UTC)) - _MOMENT
    made = dg.RunsFilter(statuses=[dg.DagsterRunStatus.NOT_STARTED], created_after=since)
    runs = [*instance.get_runs(made), *instance.get_runs(dg.RunsFilter(statuses=[*_WAITING, *_GOING]))]
    return {key for run in runs for key in run.asset_selection or ()}


def waiting(instance: dg.DagsterInstance, schedule: str) -> list[dg.DagsterRun]:
    """The runs of a schedule that have not started yet."""
    return list(instance.get_runs(dg.RunsFilter(statuses=list(_WAITING), tags={SCHEDULE_NAME_TAG: schedule})))
