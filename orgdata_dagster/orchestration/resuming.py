"""Continuing a run that was killed: which partitions it has landed already.

Here: `since`, which tells whether a run continues another one. Keep out: the ledger's answer (warehouse/coverage.py).

A run pulls again what it is asked for, because vendors change the past. A run that continues another one does not: what
was committed completely since that one began is as new as what is still to come. Dagster's re-executions and retries
continue their root run; `orgdata pull --resume` sets the tag.
"""

from __future__ import annotations

from datetime import UTC, datetime

import dagster as dg

RESUME_TAG = "orgdata/resume"
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


def interrupted(instance: dg.DagsterInstance) -> dict[dg.AssetKey, datetime]:
    """When the last run of an asset began, for those whose last run failed or was killed.

    Of a run that continued another one, the other's begin counts: what that one landed need not be pulled either.
    """
    seen: set[dg.AssetKey] = set()
    began: dict[dg.AssetKey, datetime] = {}
    for record in instance.get_run_records(limit=_LOOK_BACK):  # newest first
        run = record.dagster_run
        assets = (run.asset_selection or frozenset()) - seen
        seen |= assets
        if assets and run.is_failure_or_canceled:
            at = since(instance, run) or record.create_timestamp.astimezone(UTC)
            began |= dict.fromkeys(assets, at)
    return began
