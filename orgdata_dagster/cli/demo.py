"""`orgdata demo`: pull from simulated vendors into a separate project, print the tables, serve the UI.

Here: the demo's project, and the order of steps. Keep out: the pull (pull.py), the simulated vendors (demo_vendors.py).
"""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from rich.console import Console

from orgdata_dagster import settings
from orgdata_dagster.cli import loaded_project, status_report
from orgdata_dagster.cli.demo_vendors import FOLDER, simulated_vendors
from orgdata_dagster.cli.dev import UI_HOST, serve_ui
from orgdata_dagster.cli.json_output import print_json
from orgdata_dagster.cli.ports import check_free
from orgdata_dagster.cli.pull import as_json as pulled_as_json
from orgdata_dagster.cli.pull import pull
from orgdata_dagster.counting import counted
from orgdata_dagster.overview.checks import failing
from orgdata_dagster.overview.table_statuses import table_statuses
from orgdata_dagster.project import scaffold

_DAYS = 7
# vendors that document no limit get 20 times the default, as the sandbox allows at this pace
_UNDOCUMENTED = ("accutics", "channel_reports", "institution_analytics")
_LIMITS = "{concurrent: 2, per_minute: 2400} # of the simulated vendor"
_NEXT = """
Next:
  cd {folder}     the demo is a project like your own: every command works in it,
                       and starts the simulated vendors again if it needs them
  orgdata query "select * from octolis.contacts limit 5"
  orgdata init mine    creates your own project, in another folder
The tables are in {database}, for any program that reads DuckDB."""


def demo(console: Console, *, ui: bool, port: int, resume: bool = False, as_json: bool = False) -> int:
    """Pull the last 7 days of every table from the sandbox, print the tables, serve the UI.

    Returns the exit status: 1 if a table did not land or a check failed, otherwise 0.
    """
    if ui:
        check_free(UI_HOST, port)  # before the pull, which takes a while
    last = datetime.now(UTC).date()
    first = last - timedelta(days=_DAYS - 1)
    folder = _project(first)
    with simulated_vendors(folder) as url:
        console.print(f"simulated vendor APIs at {url}; all state in {FOLDER}", highlight=False)
        loaded = loaded_project.load()
        console.print(f"pulling {first} to {last} of {counted(len(loaded.keys), 'asset')}", highlight=False)
        outcomes = pull(loaded, loaded.keys, first, last, console, resume=resume, go_on="orgdata demo --resume")
        failed = [outcome for outcome in outcomes if outcome.error]
        console.print()
        outline = loaded.outline()
        tables, checks = table_statuses(outline), failing(outline)
        if as_json:
            pulled = pulled_as_json(outcomes)
            print_json({"url": url, "pulled": pulled, "tables": tables, "failing_checks": checks})
        status_report.show_tables(console, tables)
        status_report.show_failing(console, checks)
        for outcome in failed:
            console.print(f"failed: {outcome.task.asset}: {outcome.error}", style="red", markup=False)
        console.print(_NEXT.format(folder=FOLDER, database=os.path.relpath(folder / ".orgdata" / "warehouse.duckdb")))
        if ui:
            serve_ui(console, port=port, go_on="orgdata demo --resume")
    return 1 if failed or checks else 0


def _project(first_day: date) -> Path:
    """Write the demo's project below the working folder, and make this process use it."""
    folder = Path.cwd() / FOLDER
    scaffold.create(folder, scaffold.vendors(), first_day, limits=dict.fromkeys(_UNDOCUMENTED, _LIMITS))
    for name in ("DAGSTER_HOME", settings.HOME, settings.WAREHOUSE):
        os.environ.pop(name, None)
    os.environ[settings.PROJECT] = str(folder)
    return folder
