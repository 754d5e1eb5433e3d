"""The queue of runs in which vendors take turns, whoever launches the runs: schedules, sensors, backfills in the UI.

Here: `FairQueue`, which an instance's dagster.yaml names (setup.py). Keep out: turns of what schedules and sensors ask
for (automation/turns.py), and of `orgdata pull` (cli/pull.py).

Dagster's queue is first in, first out among runs of the same priority, so that a backfill of many runs would keep other
vendors waiting until its last run has started. Here the priority of a run is lower by one for every run of its vendor
that is queued already.
"""

from __future__ import annotations

import dagster as dg

from orgdata_dagster.orchestration.automation.turns import turn_tag
from orgdata_dagster.orchestration.tags import PRIORITY_TAG, VENDOR_TAG


class FairQueue(dg.QueuedRunCoordinator):
    """Dagster's queue, but a run without a priority gets one by its turn among the queued runs of its vendor."""

    def submit_run(self, context: dg.SubmitRunContext) -> dg.DagsterRun:
        """Queue a run."""
        run = context.dagster_run
        if (vendor := _vendor(run)) and run.status == dg.DagsterRunStatus.NOT_STARTED:
            tags = {VENDOR_TAG: vendor}
            queued = dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED], tags=tags)
            turn = {} if PRIORITY_TAG in run.tags else turn_tag(self._instance.get_runs_count(queued))
            self._instance.add_run_tags(run.run_id, {**tags, **turn})
        return super().submit_run(context)


def _vendor(run: dg.DagsterRun) -> str | None:
    """The vendor whose assets the run materializes; of several, the first by name."""
    return min((key.path[0] for key in run.asset_selection or ()), default=None)
