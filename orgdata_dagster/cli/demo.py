"""`orgdata demo`: the whole thing against simulated vendors, from nothing to the UI.

Here: the demo's own home, the sandbox beside it, and the order of things. Keep out: what a pull or the sandbox is.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from rich.console import Console

from orgdata_dagster import settings
from orgdata_dagster.cli import catalog as catalogs
from orgdata_dagster.cli import status_report
from orgdata_dagster.cli.dev import UI_HOST, serve_ui
from orgdata_dagster.cli.errors import UserError
from orgdata_dagster.cli.ports import check_free
from orgdata_dagster.cli.pull import pull
from orgdata_dagster.sandbox.environment import environment

_DAYS = 7
_PACE = "3"  # seconds instead of together's minute: the demo shows the waiting, not all of it


def demo(console: Console, *, ui: bool, port: int, resume: bool = False) -> int:
    """Pull the last 7 days of everything from the sandbox, show what landed, serve the UI; returns the exit status."""
    os.environ[settings.HOME] = str(settings.project_root() / ".orgdata-demo")
    for name in ("DAGSTER_HOME", settings.WAREHOUSE):
        os.environ.pop(name, None)
    if ui:
        check_free(UI_HOST, port)  # before the pull, which takes minutes
    with _sandbox() as url:
        os.environ |= environment(url) | {settings.TEST_SERVER_PACE: _PACE}
        console.print(f"simulated vendor APIs at {url}; all state in {settings.home()}", highlight=False)
        catalog = catalogs.load()
        last = datetime.now(UTC).date()
        first = last - timedelta(days=_DAYS - 1)
        console.print(f"pulling {first} to {last} of {len(catalog.keys)} assets", highlight=False)
        outcomes = pull(catalog, catalog.keys, first, last, console, resume=resume, go_on="orgdata demo --resume")
        failed = [outcome for outcome in outcomes if outcome.error]
        console.print()
        status_report.show_tables(console, status_report.table_statuses(catalog.outline()))
        for outcome in failed:
            console.print(f"failed: {outcome.task.asset}: {outcome.error}", style="red", markup=False)
        if ui:
            serve_ui(console, port=port, go_on="orgdata demo --resume")
    return 1 if failed else 0


@contextmanager
def _sandbox() -> Iterator[str]:
    """The simulated vendors in a process of their own, on a free port, until the context ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", "orgdata_dagster.cli", "sandbox", "--port", "0", "--with-parent", "--pace", _PACE],
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C in a terminal is the demo's: it ends the sandbox when its pulls have ended
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip().rpartition(" ")[2]
        if not url.startswith("http"):
            raise UserError("the sandbox did not start; run `orgdata sandbox` to see why")
        yield url
    finally:
        assert process.stdin is not None
        process.stdin.close()  # it ends with its input
        process.wait(10)
