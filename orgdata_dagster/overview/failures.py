"""What fails, and since when: tables whose last run failed, and checks whose last result is bad.

Here: `failures`, from Dagster's instance. Keep out: messages about them (orchestration/automation/alerts/).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

from orgdata_dagster.dagster_internals.failing_checks import failing_checks
from orgdata_dagster.http.redaction import excerpt
from orgdata_dagster.orchestration.reasons import of_failed_step

_RUNS = 300  # that are looked back
_RESULTS = 50  # of a check
_LONGEST = 300
_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]


@dataclass(frozen=True)
class Failure:
    """An asset or a check that fails. `what`: why. `since`: the first failure after the last success.

    error: False for a check that only warns.
    """

    name: str
    what: str
    since: datetime
    run_id: str
    error: bool = True


def failures(
    instance: dg.DagsterInstance, assets: Iterable[dg.AssetKey], checks: Sequence[dg.AssetCheckKey]
) -> list[Failure]:
    """The failures among these assets and checks, the oldest first."""
    found = [*_failing_assets(instance, set(assets)), *_failing_checks(instance, checks)]
    return sorted(found, key=lambda each: (not each.error, each.since, each.name))


def _failing_assets(instance: dg.DagsterInstance, assets: set[dg.AssetKey]) -> Iterator[Failure]:
    """The assets whose last ended run failed."""
    first: dict[dg.AssetKey, dg.RunRecord] = {}  # of the failures since the last success
    last: dict[dg.AssetKey, dg.RunRecord] = {}
    settled = set[dg.AssetKey]()
    for record in instance.get_run_records(dg.RunsFilter(statuses=_ENDED), limit=_RUNS):  # newest first
        for key in (record.dagster_run.asset_selection or frozenset()) & assets - settled:
            if record.dagster_run.status == dg.DagsterRunStatus.SUCCESS:
                settled.add(key)
            else:
                first[key] = record
                last.setdefault(key, record)
    reasons = {run_id: _reasons(instance, run_id) for run_id in {each.dagster_run.run_id for each in last.values()}}
    for key, record in last.items():
        run_id = record.dagster_run.run_id
        if (why := reasons[run_id].get(key, "")) or len(record.dagster_run.asset_selection or ()) == 1:
            yield Failure(key.to_user_string(), why or _run_failure(instance, run_id), _ended(first[key]), run_id)


def _reasons(instance: dg.DagsterInstance, run_id: str) -> dict[dg.AssetKey, str]:
    """Asset -> why its step of the run failed. A run of several assets may have landed others."""
    records = instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.STEP_FAILURE).records
    events = [event for record in records if (event := record.event_log_entry.dagster_event)]
    return {
        dg.AssetKey((event.step_key or "").split("__")): of_failed_step(event) or "the step failed" for event in events
    }


def _run_failure(instance: dg.DagsterInstance, run_id: str) -> str:
    """Why a run failed outside its steps, as when its process was killed."""
    records = instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.RUN_FAILURE).records
    told = [event.message for record in records if (event := record.event_log_entry.dagster_event)]
    return excerpt(" ".join((told[-1] or "").split()), _LONGEST) if told and told[-1] else "the run failed"


def _failing_checks(instance: dg.DagsterInstance, checks: Sequence[dg.AssetCheckKey]) -> Iterator[Failure]:
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
        yield Failure(f"{one.asset}: {one.check}", what, since, run_id, one.error)


def _ended(record: dg.RunRecord) -> datetime:
    return datetime.fromtimestamp(record.end_time or record.update_timestamp.timestamp(), UTC)
