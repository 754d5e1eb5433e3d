"""What is asked for already: the runs that wait for their turn or are going.

Here: which these are, by asset and by schedule. Add here: by another asker. Keep out: who asks (schedules.py,
changes.py, catch_up.py).

A run is NOT_STARTED for a moment, made and not yet queued; or for ever, if the daemon was killed in that moment. So it
counts for some minutes only, and not at all for the schedule that made it: the tick that was cut short comes again and
queues it, if it asks for the same.
"""

from datetime import UTC, datetime, timedelta

import dagster as dg

from orgdata_dagster.orchestration.tags import SCHEDULE_NAME_TAG

_WAITING = (dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTING)
_GOING = (dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING)
_MOMENT = timedelta(minutes=5)


def under_way(instance: dg.DagsterInstance, now: datetime | None = None) -> set[dg.AssetKey]:
    """The assets that a run waits or is going for."""
    since = (now or datetime.now(UTC)) - _MOMENT
    made = dg.RunsFilter(statuses=[dg.DagsterRunStatus.NOT_STARTED], created_after=since)
    runs = [*instance.get_runs(made), *instance.get_runs(dg.RunsFilter(statuses=[*_WAITING, *_GOING]))]
    return {key for run in runs for key in run.asset_selection or ()}


def waiting(instance: dg.DagsterInstance, schedule: str) -> list[dg.DagsterRun]:
    """The runs that a schedule asked for and that have not begun."""
    return list(instance.get_runs(dg.RunsFilter(statuses=list(_WAITING), tags={SCHEDULE_NAME_TAG: schedule})))
