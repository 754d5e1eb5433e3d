"""`orgdata dev`: the Dagster UI and daemon on the project's instance.

Here: starting `dagster dev` with the right options, as the only daemon of its instance, and ending all its processes.
Keep out: ending them if this process is killed (lifeline.py).
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

import dagster as dg
import duckdb
import yaml
from rich.console import Console

from orgdata_dagster import settings
from orgdata_dagster.cli import lifeline, loaded_project, signals
from orgdata_dagster.cli.errors import UserError
from orgdata_dagster.cli.json_output import print_json
from orgdata_dagster.cli.ports import check_free
from orgdata_dagster.counting import counted
from orgdata_dagster.orchestration.automation.alerts.messages import UI_URL
from orgdata_dagster.orchestration.instance.daemons import daemons
from orgdata_dagster.orchestration.instance.orphaned_runs import reap
from orgdata_dagster.orchestration.instance.setup import make_ready, shared_instance
from orgdata_dagster.orchestration.instance.unreported import landed_by
from orgdata_dagster.orchestration.shared_state import shared_state
from orgdata_dagster.overview import asset as overview
from orgdata_dagster.state import StillHeld
from orgdata_dagster.state.processes import in_words
from orgdata_dagster.warehouse.errors import WarehouseError

UI_HOST = "127.0.0.1"
_LOCK = "dev"
_REFUSED = "{who} already runs on this instance, and two would start every run twice. Use that one, or end it first"


def serve_ui(console: Console, *, port: int, go_on: str = "", as_json: bool = False) -> int:
    """Serve the UI and the daemon until interrupted; returns the exit status of `dagster dev`.

    go_on: the command that continues, if it is not `orgdata dev`.
    as_json: print the URL as JSON; Dagster's log goes to standard error.

    Raises UserError if the port is in use or another daemon works on the instance. Raises Interrupted; its summary says
    what the stopped runs have landed, and names `go_on`.
    """
    check_free(UI_HOST, port)
    with alone():
        with shared_instance() as instance:
            reap(instance, no_daemon=True)
            loaded = loaded_project.load(without_broken=True)
            make_ready(instance, loaded.resources)
            _show_overview(instance, loaded)
        console.print(f"\nDagster UI: http://{UI_HOST}:{port} (Ctrl-C to stop)", highlight=False)
        console.print(f"Overview: http://{UI_HOST}:{port}/assets/orgdata/overview", highlight=False)
        if as_json:
            print_json({"url": f"http://{UI_HOST}:{port}", "process": os.getpid()})
            sys.stdout.flush()
        os.environ.setdefault(UI_URL, f"http://{UI_HOST}:{port}")  # for the links in alerts
        return _run(_command(port), go_on or f"orgdata dev --port {port}", sys.stderr if as_json else None)


def _command(port: int) -> list[str]:
    what = ["-w", str(_workspace(settings.project_root()))]
    quiet = ["--log-level", "warning"]  # hides ticks without a result; runs still log what they do
    return [sys.executable, "-m", "dagster", "dev", *what, *quiet, "-h", UI_HOST, "-p", str(port)]


def _workspace(project: Path) -> Path:
    """The project's workspace.yaml; if there is none, a generated file in the home that names the code location."""
    if (own := project / "workspace.yaml").exists():
        return own
    package = settings.package_folder(project)
    module = f"{package.name}.definitions" if (package / "definitions.py").exists() else "orgdata_dagster.definitions"
    location = {
        "module_name": module,
        "working_directory": str(package.parent),
        "location_name": settings.location_name(project),
    }
    made = settings.home() / "workspace.yaml"
    made.write_text(yaml.safe_dump({"load_from": [{"python_module": location}]}))
    return made


def _run(command: list[str], go_on: str, out: TextIO | None = None) -> int:
    settings.use_project(settings.project_root())  # for Dagster's processes, which have another working folder
    os.environ.setdefault("PYTHONWARNINGS", "ignore")  # users need not know which parts of Dagster are in beta
    # not in the project's folder, where Dagster would also read a dagster.yaml
    guard = subprocess.Popen(
        lifeline.command(*command), cwd=settings.home(), stdin=subprocess.PIPE, stdout=out, start_new_session=True
    )
    assert guard.stdin is not None
    signals.kill_at_once(guard.terminate)
    try:
        return guard.wait()
    except signals.Interrupted as stop:
        began = datetime.now(UTC)
        guard.stdin.close()
        guard.wait()
        stop.summary = f"{_close_runs(began)}; continue with: {go_on}"
        raise


def _show_overview(instance: dg.DagsterInstance, loaded: loaded_project.LoadedProject) -> None:
    """Report the overview now, so that the page is not empty at first; the sensor needs a minute."""
    try:
        seen = overview.overview_of(instance, loaded.defs.resolve_asset_graph(), loaded.resources)
    except (WarehouseError, duckdb.Error):  # the UI must start anyway; `orgdata doctor` reports the problem
        return
    instance.report_runless_asset_event(overview.materialization(seen))


@contextmanager
def alone() -> Iterator[None]:
    """Hold the lock that allows one `orgdata dev` per home; the kernel releases it however this process ends.

    Raises UserError if it is held, or if another daemon works on the instance.
    """
    state = shared_state()
    try:
        with state.lock(_LOCK, patience=0):
            with shared_instance() as instance:
                pids = daemons(Path(instance.root_directory))
            if pids:
                raise UserError(_REFUSED.format(who=f"a Dagster daemon (process {pids[0]})"))
            yield
    except StillHeld:
        holder = state.holder(_LOCK)
        who = f"`orgdata dev` ({in_words(holder.process)})" if holder else "`orgdata dev`"
        raise UserError(_REFUSED.format(who=who)) from None


def _close_runs(began: datetime) -> str:
    """Fail the runs that had to be killed; return, in words, what the runs stopped since `began` have landed."""
    with shared_instance() as instance:
        reap(instance, no_daemon=True)
        ended = [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
        runs = instance.get_runs(dg.RunsFilter(statuses=ended, updated_after=began))
        landed = landed_by(runs)
    if not runs:
        return "no run was in progress"
    return f"{counted(len(runs), 'run')} ended early; {landed} of their partitions have landed"
