"""Resuming: a run that continues a failed, stopped or killed run skips the partitions that the other run has landed.

Here: `since`, which determines whether a run continues another one, and which pulls can be continued.
Keep out: which partitions have landed (warehouse/ledger/coverage.py).

A run normally pulls every requested partition again, because vendors change the past. A run that continues another one
skips partitions that were completely committed since that one started. Dagster's re-executions and retries continue
their root run; `orgdata pull --resume` sets a tag.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from datetime import UTC, datetime

import dagster as dg

from orgdata_dagster.orchestration.instance.run_claims import is_worked_on
from orgdata_dagster.orchestration.tags import GO_ON_TAG, PROCESS_TAG, PULL_BEGAN_TAG, RESUME_TAG
from orgdata_dagster.state.processes import alive

_LOOK_BACK = 500  # runs


def since(instance: dg.DagsterInstance, run: dg.DagsterRun) -> datetime | None:
    """When the run that this one continues started; None if it does not continue another run."""
    if tagged := run.tags.get(RESUME_TAG):
        return datetime.fromisoformat(tagged)
    if not run.root_run_id or run.root_run_id == run.run_id:
        return None
    root = instance.get_run_record_by_id(run.root_run_id)
    if root is None:
        return None
    return since(instance, root.dagster_run) or root.create_timestamp.astimezone(UTC)


def pull_began(assets: int) -> str:
    """The value of PULL_BEGAN_TAG for a pull of this number of assets that starts now."""
    return f"{datetime.now(UTC).isoformat()} {assets}"


def interrupted(instance: dg.DagsterInstance) -> dict[dg.AssetKey, datetime]:
    """Asset -> start of its last run, for assets whose last run or pull failed, was stopped or was killed.

    A pull of several assets is continued as a whole, so that completed runs are not repeated. For a run that continued
    another one, the start of the other run is returned.
    """
    began: dict[dg.AssetKey, datetime] = {}
    for record, assets in _interrupted_runs(instance):
        run = record.dagster_run
        pull = run.tags.get(PULL_BEGAN_TAG)
        start = datetime.fromisoformat(pull.split()[0]) if pull else record.create_timestamp.astimezone(UTC)
        began |= dict.fromkeys(assets, since(instance, run) or start)
    return began


def unfinished_pulls(instance: dg.DagsterInstance) -> dict[str, set[dg.AssetKey]]:
    """Command that continues a failed, stopped or killed pull -> the assets that it did not finish."""
    found: dict[str, set[dg.AssetKey]] = {}
    for record, assets in _interrupted_runs(instance):
        tags = record.dagster_run.tags
        if GO_ON_TAG in tags and not alive(tags.get(PROCESS_TAG, "")):
            found.setdefault(tags[GO_ON_TAG], set()).update(assets)
    return found


def _interrupted_runs(instance: dg.DagsterInstance) -> Iterator[tuple[dg.RunRecord, Set[dg.AssetKey]]]:
    """Yield the last runs of assets that failed or whose pull failed, with these assets; newest first."""
    seen: set[dg.AssetKey] = set()
    records = instance.get_run_records(limit=_LOOK_BACK)  # newest first
    broken = _broken_pulls(record.dagster_run for record in records)
    for record in records:
        run = record.dagster_run
        assets = (run.asset_selection or frozenset()) - seen
        seen |= assets
        if assets and (_cut_short(run) or run.tags.get(PULL_BEGAN_TAG) in broken):
            yield record, assets


def _cut_short(run: dg.DagsterRun) -> bool:
    return run.is_failure_or_canceled or (not run.is_finished and is_worked_on(run) is False)


def _broken_pulls(runs: Iterable[dg.DagsterRun]) -> set[str]:
    """The PULL_BEGAN_TAGs of pulls that did not start all of their runs, or with a failed run."""
    made: dict[str, set[dg.AssetKey]] = {}
    failed = set()
    for run in runs:
        if pull := run.tags.get(PULL_BEGAN_TAG):
            made.setdefault(pull, set()).update(run.asset_selection or ())
            if _cut_short(run):
                failed.add(pull)
    return failed | {pull for pull, assets in made.items() if len(assets) < int(pull.split()[1])}
