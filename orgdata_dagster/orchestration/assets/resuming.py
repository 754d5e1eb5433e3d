"""Continuing a run that was killed: which partitions it has landed already.

Here: `since`, which tells whether a run continues another one.
Keep out: the ledger's answer (warehouse/ledger/coverage.py).

A run pulls again what it is asked for, because vendors change the past. A run that continues another one does not: what
was committed completely since that one began is as new as what is still to come. Dagster's re-executions and retries
continue their root run; `orgdata pull --resume` sets the tag.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import dagster as dg

RESUME_TAG = "orgdata/resume"
PULL_TAG = "orgdata/pull_began"  # all runs of one `orgdata pull` have the same, see `pull_tag`
_LOOK_BACK = 500  # runs


def since(instance: dg.DagsterInstance, run: dg.DagsterRun) -> datetime | None:
    """When the run that this one continues began; None for a run of its own."""
    if tagged := run.tags.get(RESUME_TAG):
        return datetime.fromisoformat(tagged)
    if not run.root_run_id or run.root_run_id == run.run_id:
        return None
    root = instance.get_run_record_by_id(run.root_run_id)
    if root is None:
        return None
    return since(instance, root.dagster_run) or root.create_timestamp.astimezone(UTC)


def pull_tag(assets: int) -> str:
    """The value of PULL_TAG for a pull of so many assets that begins now."""
    return f"{datetime.now(UTC).isoformat()} {assets}"


def interrupted(instance: dg.DagsterInstance) -> dict[dg.AssetKey, datetime]:
    """When the last run of an asset began, for those whose last run failed or was killed, or whose last pull was.

    A pull of several assets is continued as a whole: the runs that were over when it was killed need not be made again.
    Of a run that continued another one, the other's begin counts: what that one landed need not be pulled either.
    """
    seen: set[dg.AssetKey] = set()
    began: dict[dg.AssetKey, datetime] = {}
    records = instance.get_run_records(limit=_LOOK_BACK)  # newest first
    broken = _broken_pulls(record.dagster_run for record in records)
    for record in records:
        run = record.dagster_run
        assets = (run.asset_selection or frozenset()) - seen
        seen |= assets
        pull = run.tags.get(PULL_TAG)
        if assets and (run.is_failure_or_canceled or pull in broken):
            start = datetime.fromisoformat(pull.split()[0]) if pull else record.create_timestamp.astimezone(UTC)
            began |= dict.fromkeys(assets, since(instance, run) or start)
    return began


def _broken_pulls(runs: Iterable[dg.DagsterRun]) -> set[str]:
    """The tags of the pulls that did not make all of their runs, or of which one failed."""
    made: dict[str, set[dg.AssetKey]] = {}
    failed = set()
    for run in runs:
        if pull := run.tags.get(PULL_TAG):
            made.setdefault(pull, set()).update(run.asset_selection or ())
            if run.is_failure_or_canceled:
                failed.add(pull)
    return failed | {pull for pull, assets in made.items() if len(assets) < int(pull.split()[1])}
