"""The queue of runs, in which vendors take turns. It serves runs of schedules, sensors, and backfills in the UI.

Here: `FairQueue`, which an instance's dagster.yaml names (setup.py). Keep out: the turns within one tick of a sensor
(automation/turns.py) or one `orgdata pull` (cli/pull.py).

Dagster's queue starts runs of the same priority in the order in which they were queued. The runs of other vendors would
therefore wait until the last run of a large backfill has started. Here, every run of a vendor gets a later turn than
the vendor's last run, and no earlier turn than the run that the queue has reached. The priority of a run is minus its
turn.
"""

from __future__ import annotations

import dagster as dg

from orgdata_dagster.orchestration.tags import PRIORITY_TAG, TURN_TAG, VENDOR_TAG

_RECENT = 20  # a vendor's last runs in the queue; the priority of some of them may have been set by somebody


class FairQueue(dg.QueuedRunCoordinator):
    """Dagster's queue, which also sets the priority of runs that have none."""

    def submit_run(self, context: dg.SubmitRunContext) -> dg.DagsterRun:
        """Tag a run with its vendor and priority, and queue it."""
        run = context.dagster_run
        if (vendor := _vendor(run)) and run.status == dg.DagsterRunStatus.NOT_STARTED:
            tags = {VENDOR_TAG: vendor}
            priority = run.tags.get(PRIORITY_TAG)
            # a retry inherits the tags of its parent; the parent's turn is over
            if priority is None or priority == run.tags.get(TURN_TAG):
                turn = self._next_turn(vendor)
                tags |= {PRIORITY_TAG: str(-turn), TURN_TAG: str(-turn)} if turn or priority else {}
            self._instance.add_run_tags(run.run_id, tags)
        return super().submit_run(context)

    def _next_turn(self, vendor: str) -> int:
        reached = self._turns({}, limit=1, ascending=True)
        mine = self._turns({VENDOR_TAG: vendor}, limit=_RECENT)
        return max([*reached, *(turn + 1 for turn in mine)], default=0)

    def _turns(self, tags: dict[str, str], limit: int, ascending: bool = False) -> list[int]:
        queued = dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED], tags=tags)
        runs = self._instance.get_runs(queued, limit=limit, ascending=ascending)
        return [max(0, -int(run.tags.get(TURN_TAG, "0"))) for run in runs]


def _vendor(run: dg.DagsterRun) -> str | None:
    """The vendor whose assets the run materializes. If there are several, the first by name; None if there is none."""
    return min((key.path[0] for key in run.asset_selection or ()), default=None)
