"""Problems in Dagster's records: failed runs, failing checks, rejected rows of a sync, failing sensors.

Here: one function per kind. Keep out: problems of tables (table_problems.py) and of vendors (vendor_problems.py).

The last run of an asset decides: a problem ends when a later run of the same asset succeeds. While a run is in
progress, or if Dagster will retry it, the problem is undecided.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import dagster as dg

from orgdata_dagster.http.redaction import excerpt
from orgdata_dagster.orchestration.automation.alerts.problems import OTHER, Found, Kind, Problem
from orgdata_dagster.orchestration.checks import freshness, specs
from orgdata_dagster.orchestration.reasons import of_failed_step

WILL_RETRY = "dagster/will_retry"
LONGEST = 600  # characters of a reason
_FAILURES = {dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.RUN_FAILURE}
_GIVEN_UP = "tries"  # metadata of the check `coverage` if catch_up gave up, which is another kind of problem
_PLANNED, _FAILED = "PLANNED", "FAILED"


def failed_runs(instance: dg.DagsterInstance, repository: dg.RepositoryDefinition, found: Found) -> None:
    """Add the assets and jobs whose last run failed."""
    keys = list(repository.asset_graph.materializable_asset_keys)
    last = {
        record.asset_entry.asset_key: record.asset_entry.last_run_id
        for record in instance.get_asset_records(keys)
        if record.asset_entry.last_run_id
    }
    ids = sorted({run_id for run_id in last.values() if run_id})
    runs = {run.run_id: run for run in instance.get_runs(dg.RunsFilter(run_ids=ids))} if ids else {}
    failures: dict[str, Mapping[str, str]] = {}
    for key, run_id in last.items():
        run, name = runs.get(run_id or ""), key.to_user_string()
        if run is not None:
            _judge(instance, run, name, key.path[0] if len(key.path) > 1 else OTHER, found, failures)
    for job in repository.job_names:
        if not job.startswith("__") and (of_job := instance.get_runs(dg.RunsFilter(job_name=job), limit=1)):
            run = of_job[0]
            if not run.asset_selection and not repository.get_job(job).asset_layer.executable_asset_keys:
                _judge(instance, run, job, OTHER, found, failures)


def _judge(
    instance: dg.DagsterInstance,
    run: dg.DagsterRun,
    subject: str,
    vendor: str,
    found: Found,
    failures: dict[str, Mapping[str, str]],
) -> None:
    """Add a problem if the last run of an asset or job failed. `failures`: run -> its reasons, read once."""
    problem = Problem("run", vendor, subject, "", f"runs/{run.run_id}")
    if run.status == dg.DagsterRunStatus.FAILURE and run.tags.get(WILL_RETRY) != "true":
        if run.run_id not in failures:
            failures[run.run_id] = reasons(instance, run)
        if subject in failures[run.run_id]:
            message = excerpt(failures[run.run_id][subject], LONGEST)
            found.add(Problem("run", vendor, subject, f"the run failed: {message}", problem.link))
    elif run.status != dg.DagsterRunStatus.SUCCESS:
        found.undecided.add(problem.key)  # in progress, to be retried, or canceled by a user


def reasons(instance: dg.DagsterInstance, run: dg.DagsterRun) -> dict[str, str]:
    """Failed asset of a run -> the reason. For a run without failed steps: all its assets, or the job."""
    events = [
        event
        for record in instance.get_records_for_run(run.run_id, of_type=_FAILURES).records
        if (event := record.event_log_entry.dagster_event)
    ]
    assets = {"__".join(key.path): key.to_user_string() for key in run.asset_selection or ()}
    found: dict[str, str] = {}
    for event in events:
        if event.is_step_failure:
            message = of_failed_step(event) or event.message or "the step failed"
            step = event.step_key or run.job_name
            # a step of several assets has another name: all of its assets have failed
            found |= {assets[step]: message} if step in assets else dict.fromkeys(assets.values(), message)
    description = next((event.message for event in events if event.is_run_failure and event.message), "the run failed")
    return found or dict.fromkeys(assets.values() or [run.job_name], description)


def failing_checks(instance: dg.DagsterInstance, repository: dg.RepositoryDefinition, found: Found) -> None:
    """Add the checks whose last evaluation failed, and the syncs with more rejected rows than they allow."""
    keys = [key for key in repository.asset_graph.asset_check_keys if key.name != freshness.NAME]
    latest: Mapping[dg.AssetCheckKey, Any] = instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    for key, record in latest.items():
        asset, limited = key.asset_key.to_user_string(), key.name == specs.REJECTED
        kind: Kind = "rejections" if limited else "check"
        subject = asset if limited else f"{asset} {key.name}"
        problem = Problem(kind, key.asset_key.path[0], subject, "", f"assets/{asset}?view=checks")
        evaluation = record.evaluation
        if record.status.value == _PLANNED:
            found.undecided.add(problem.key)
        elif record.status.value == _FAILED and evaluation is not None:
            if (key.name == specs.COVERAGE and _GIVEN_UP in evaluation.metadata) or (
                limited and evaluation.severity != dg.AssetCheckSeverity.ERROR  # fewer than `max_rejected` allows
            ):
                continue
            message = f"the check {key.name} fails" if not limited else "too many rows are rejected"
            description = excerpt(evaluation.description or "see the asset's checks", LONGEST)
            level = " (a warning)" if evaluation.severity == dg.AssetCheckSeverity.WARN else ""
            found.add(Problem(kind, problem.vendor, subject, f"{message}{level}: {description}", problem.link))


def failing_sensors(
    instance: dg.DagsterInstance,
    repository: dg.RepositoryDefinition,
    vendors: Iterable[str],
    found: Found,
    *,
    own_name: str,
) -> None:
    """Add the sensors and schedules whose last tick failed. `own_name`: the calling sensor, whose tick is running."""
    names = {each.name for each in repository.sensor_defs} | {each.name for each in repository.schedule_defs}
    owners = sorted(vendors, key=len, reverse=True)
    for state in instance.all_instigator_state():
        if state.name not in names - {own_name} or not state.is_running:
            continue
        vendor = next((each for each in owners if state.name == each or state.name.startswith(f"{each}_")), OTHER)
        problem = Problem("sensor", vendor, state.name, "", f"automation?search={state.name}")
        ticks: Sequence[Any] = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1)
        status = ticks[0].status.value if ticks else ""
        if status == "STARTED":
            found.undecided.add(problem.key)
        elif status == "FAILURE":
            error = ticks[0].error
            while error and error.cause:
                error = error.cause
            description = excerpt(" ".join(error.message.split()) if error else "no reason is recorded", LONGEST)
            found.add(Problem("sensor", vendor, state.name, f"the last tick failed: {description}", problem.link))
