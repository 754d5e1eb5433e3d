"""The queue of runs, in which vendors take turns. It serves runs of schedules, sensors, and backfills in the UI.

Here: `FairQueue`, which an instance's dagster.yaml names (setup.py). Keep out: the turns within one tick of a sensor
(automation/turns.py) or one `orgdata pull` (cli/pull.py).

Dagster's queue starts runs of the same priority in the order in which they were queued. The runs of other vendors would
therefore wait until the last run of a large backfill has started. Here, the priority of a run is lowered by one for
each run of its vendor that is already queued.
"""

from __future__ import annotations

import dagster as dg

from orgdata_dagster.orchestration.automation.turns import turn_tag
from orgdata_dagster.orchestration.tags import PRIORITY_TAG, VENDOR_TAG


class FairQueue(dg.QueuedRunCoordinator):
    """Dagster's queue, which also sets the priority of runs that have none, by the queued runs of their vendor."""

    def submit_run(self, context: dg.SubmitRunContext) -> dg.DagsterRun:
        """Tag a run with its vendor and priority, and queue it."""
        run = context.dagster_run
        if (vendor := _vendor(run)) and run.status == dg.DagsterRunStatus.NOT_STARTED:
            tags = {VENDOR_TAG: vendor}
            queued = dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED], tags=tags)
            turn = {} if PRIORITY_TAG in run.tags else turn_tag(self._instance.get_runs_count(queued))
            self._instance.add_run_tags(run.run_id, {**tags, **turn})
        return super().submit_run(context)


def _vendor(run: dg.DagsterRun) -> str | None:
    """The vendor whose assets the run materializes. If there are several, the first by name; None if there is none."""
    return min((key.path[0] for key in run.asset_selection or ()), default=None)
