"""The tables and syncs whose last run failed, and the checks that fail, read from Dagster's instance.

Here: `failures`, `failing_assets`. Keep out: other failures (failure.py), messages about them
(orchestration/automation/alerts/).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

from orgdata_dagster.dagster_internals.failing_checks import failing_checks
from orgdata_dagster.http.redaction import excerpt
from orgdata_dagster.orchestration.reasons import of_failed_step
from orgdata_dagster.orchestration.tags import GO_ON_TAG, PARTITION_NAME_TAG, RANGE_END, RANGE_START
from orgdata_dagster.overview.checks import remedy_of
from orgdata_dagster.overview.failure import Failure

_RUNS = 300  # number of runs among which the first failure is searched
_RESULTS = 50  # number of results of a check among which its first failure is searched
_LONGEST = 300
_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]


def failures(
    instance: dg.DagsterInstance, assets: Mapping[str, str], checks: Sequence[dg.AssetCheckKey]
) -> list[Failure]:
    """The failures among these assets (see `failing_assets`) and checks, the oldest first."""
    found = [*failing_assets(instance, assets), *_failing_checks(instance, checks)]
    return sorted(found, key=lambda each: (not each.error, str(each.since), each.name))


def failing_assets(instance: dg.DagsterInstance, assets: Mapping[str, str], among: int = _RUNS) -> list[Failure]:
    """The assets whose last finished run failed, the oldest failure first.

    assets: asset key, joined by slashes -> its name for `orgdata sync`; "" for an asset that is pulled.
    among: number of the newest runs among which the first failure is searched.
    """
    first, last = _last_failed(instance, {dg.AssetKey(name.split("/")) for name in assets}, among)
    reasons = {run_id: _reasons(instance, run_id) for run_id in {each.dagster_run.run_id for each in last.values()}}
    found = []
    for key, record in last.items():
        run, name = record.dagster_run, key.to_user_string()
        if (why := reasons[run.run_id].get(key, "")) or len(run.asset_selection or ()) == 1:
            what, again = why or _run_failure(instance, run.run_id), _again(run, name, assets[name])
            found.append(Failure(name, what, _ended(first[key]), run.run_id, remedy=again))
    return sorted(found, key=lambda each: (str(each.since), each.name))


_OfAssets = dict[dg.AssetKey, dg.RunRecord]


def _last_failed(instance: dg.DagsterInstance, assets: set[dg.AssetKey], among: int) -> tuple[_OfAssets, _OfAssets]:
    """Find the runs of the assets whose last finished run failed.

    Returns two dicts by asset: the first run that failed after the last success, and the last run that failed. The
    first one is only searched among the newest runs.
    """
    first: _OfAssets = {}
    last: _OfAssets = {}
    succeeded = set[dg.AssetKey]()
    for record in instance.get_run_records(dg.RunsFilter(statuses=_ENDED), limit=among):  # newest first
        for key in (record.dagster_run.asset_selection or frozenset()) & assets - succeeded:
            if record.dagster_run.status == dg.DagsterRunStatus.SUCCESS:
                succeeded.add(key)
            else:
                first[key] = record
                last.setdefault(key, record)
    rare = assets - succeeded - last.keys()  # their last run is older than those runs
    newest = {each.asset_entry.asset_key: each.asset_entry.last_run_id for each in instance.get_asset_records([*rare])}
    ids = sorted({run_id for run_id in newest.values() if run_id})
    runs = {each.dagster_run.run_id: each for each in _failed_runs(instance, ids)}
    for key in rare:
        if failed := runs.get(newest.get(key) or ""):
            first[key] = last[key] = failed
    return first, last


def _failed_runs(instance: dg.DagsterInstance, ids: Sequence[str]) -> Sequence[dg.RunRecord]:
    if not ids:
        return ()
    return instance.get_run_records(dg.RunsFilter(run_ids=ids, statuses=[dg.DagsterRunStatus.FAILURE]))


def _reasons(instance: dg.DagsterInstance, run_id: str) -> dict[dg.AssetKey, str]:
    """Asset -> why its step failed in this run. Other assets of the same run may have been loaded."""
    records = instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.STEP_FAILURE).records
    events = [event for record in records if (event := record.event_log_entry.dagster_event)]
    return {
        dg.AssetKey((event.step_key or "").split("__")): of_failed_step(event) or "the step failed" for event in events
    }


def _run_failure(instance: dg.DagsterInstance, run_id: str) -> str:
    """Why a run failed outside its steps, for example because its process was killed."""
    records = instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.RUN_FAILURE).records
    messages = [event.message for record in records if (event := record.event_log_entry.dagster_event)]
    return excerpt(" ".join((messages[-1] or "").split()), _LONGEST) if messages and messages[-1] else "the run failed"


def _again(run: dg.DagsterRun, name: str, sync: str) -> str:
    """The command that repeats a failed run."""
    if sync:
        return f"orgdata sync {sync}"
    if go_on := run.tags.get(GO_ON_TAG):
        return go_on
    first = run.tags.get(RANGE_START) or run.tags.get(PARTITION_NAME_TAG)
    last = run.tags.get(RANGE_END) or first
    return f"orgdata pull {name} --resume" + (f" --from {first} --to {last}" if first else "")


def _failing_checks(instance: dg.DagsterInstance, checks: Iterable[dg.AssetCheckKey]) -> Iterator[Failure]:
    among = {(key.asset_key.to_user_string(), key.name) for key in checks}
    for one in failing_checks(Path(instance.root_directory), among):
        key = dg.AssetCheckKey(dg.AssetKey(one.asset.split("/")), one.check)
        run_id, since = "", one.at
        for each in instance.event_log_storage.get_asset_check_execution_history(key, limit=_RESULTS):  # newest first
            if each.status.value == "SUCCEEDED":
                break
            if each.status.value == "FAILED" and each.event:
                run_id, since = run_id or each.run_id, datetime.fromtimestamp(each.event.timestamp, UTC)
        what = one.reason or "the check failed; its metadata says what"
        yield Failure(f"{one.asset}: {one.check}", what, since, run_id, one.error, remedy_of(one))


def _ended(record: dg.RunRecord) -> datetime:
    return datetime.fromtimestamp(record.end_time or record.update_timestamp.timestamp(), UTC)
