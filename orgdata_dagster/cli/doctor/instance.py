"""Findings about the Dagster instance: pools, slots, orphaned runs, the daemon, the size of its event log.

Here: findings from Dagster's storage. Keep out: the warehouse (machine.py, completeness.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import duckdb

from orgdata_dagster.cli.doctor.finding import Finding, isolated
from orgdata_dagster.cli.loaded_project import LoadedProject
from orgdata_dagster.counting import counted
from orgdata_dagster.orchestration.instance.daemons import age, daemons
from orgdata_dagster.orchestration.instance.orphaned_runs import dead_runs, leaked_slots, reap
from orgdata_dagster.orchestration.instance.pools import apply_limits, wrong_limits
from orgdata_dagster.orchestration.instance.unreported import ended_early, report_landed, unreported
from orgdata_dagster.warehouse.errors import WarehouseError

_FIX = "orgdata doctor --fix"
_SILENT = 120  # seconds without a heartbeat after which a daemon counts as stopped
_LARGEST = 4 << 30


def findings(loaded: LoadedProject, instance: dg.DagsterInstance) -> Iterator[Finding]:
    """All findings of this module."""
    yield from isolated("pools", lambda: [_pools(loaded, instance)])
    yield from isolated("runs", lambda: _runs(instance))
    yield from isolated("daemon", lambda: [_daemon(instance)])
    yield from isolated("event log", lambda: [_size(instance)])


def _runs(instance: dg.DagsterInstance) -> Iterator[Finding]:
    dead = dead_runs(instance)
    leaked = leaked_slots(instance, dead)

    def free() -> str:
        return f"marked {counted(len(reap(instance)), 'orphaned run')} as failed and freed their slots"

    text = f"{len(dead)} orphaned (their process died): {', '.join(run.run_id[:8] for run in dead)}"
    yield Finding("runs", text if dead else "the process of every run is alive", not dead, _FIX, free)
    text = f"{counted(len(leaked), 'finished run')} still holding slots"
    yield Finding("slots", text if leaked else "none leaked", not leaked, _FIX, None if dead else free)
    yield _reports(instance, dead)


def _reports(instance: dg.DagsterInstance, dead: Sequence[dg.DagsterRun]) -> Finding:
    runs = [*dead, *ended_early(instance)]
    try:
        missing = sum(map(len, unreported(instance, runs).values()))
    except (WarehouseError, duckdb.Error):
        return Finding("reports", "not examined, because the warehouse cannot be read now")
    text = f"{counted(missing, 'partition', 'have')} landed but are not reported to Dagster: their runs ended too early"

    def report() -> str:
        return f"reported {counted(report_landed(instance, runs), 'landed partition')} to Dagster"

    return Finding("reports", text if missing else "Dagster knows of every landed partition", not missing, _FIX, report)


def _pools(loaded: LoadedProject, instance: dg.DagsterInstance) -> Finding:
    if not instance.event_log_storage.get_concurrency_keys() and not instance.get_runs_count():
        return Finding("pools", "not set yet; the first pull or `orgdata dev` sets them")
    wrong = wrong_limits(instance, loaded.resources)
    text = ", ".join(f"{pool} should have {counted(limit, 'slot')}" for pool, limit in wrong.items())

    def limit() -> str:
        apply_limits(instance, loaded.resources)
        return "set the pools to the limits of defs.yaml"

    return Finding("pools", text or "as in defs.yaml", not wrong, _FIX, limit)


def _daemon(instance: dg.DagsterInstance) -> Finding:
    beats = instance.get_daemon_heartbeats()
    now = datetime.now(UTC).timestamp()
    silent = sorted(kind for kind, beat in beats.items() if now - beat.timestamp > _SILENT)
    running = daemons(Path(instance.root_directory)) if silent or not beats else []
    if running and age(running[0]) < _SILENT:
        return Finding("daemon", f"is starting (process {running[0]}); its first heartbeat comes within a minute")
    if not beats:
        return Finding("daemon", "has never run here; schedules and sensors need `orgdata dev`")
    broken = sorted(kind for kind, beat in beats.items() if beat.errors)
    if silent:
        last = datetime.fromtimestamp(max(beat.timestamp for beat in beats.values()), UTC)
        text = f"no heartbeat since {last:%Y-%m-%d %H:%M} UTC: {', '.join(silent)}; schedules do not run"
        return Finding("daemon", text, False, "orgdata dev")
    if broken:
        return Finding("daemon", f"errors in {', '.join(broken)}", False, "See Deployment > Daemons in the UI.")
    return Finding("daemon", f"running: {counted(len(beats), 'daemon')}")


def _size(instance: dg.DagsterInstance) -> Finding:
    size = sum(path.stat().st_size for path in Path(instance.root_directory).rglob("*") if path.is_file())
    remedy = "Delete old runs: in the UI under Runs, or with `dagster run delete`."
    return Finding("event log", f"{size / (1 << 20):,.0f} MB in {instance.root_directory}", size < _LARGEST, remedy)
