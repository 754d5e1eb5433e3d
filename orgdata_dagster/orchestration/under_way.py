"""What is asked for already: the runs that wait for their turn or are going.

Here: which these are, by asset and by schedule. Add here: by another asker. Keep out: who asks (schedules.py,
changes.py, catch_up.py).
"""

import dagster as dg
from dagster._core.storage.tags import SCHEDULE_NAME_TAG

_WAITING = (dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING)
_GOING = (dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING)


def under_way(instance: dg.DagsterInstance) -> set[dg.AssetKey]:
    """The assets that a run waits or is going for."""
    runs = instance.get_runs(dg.RunsFilter(statuses=[*_WAITING, *_GOING]))
    return {key for run in runs for key in run.asset_selection or ()}


def waiting(instance: dg.DagsterInstance, schedule: str) -> list[dg.DagsterRun]:
    """The runs that a schedule asked for and that have not begun."""
    return list(instance.get_runs(dg.RunsFilter(statuses=list(_WAITING), tags={SCHEDULE_NAME_TAG: schedule})))
