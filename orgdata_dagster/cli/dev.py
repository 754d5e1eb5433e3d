"""`orgdata dev`: the Dagster UI and daemon on the project's instance.

Here: starting `dagster dev` as it has to be started. Keep out: what runs in it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from rich.console import Console

from orgdata_dagster import settings
from orgdata_dagster.cli import catalog
from orgdata_dagster.orchestration.automation.alerts.sensor import UI_URL
from orgdata_dagster.orchestration.instance.setup import make_ready, shared_instance


def serve_ui(console: Console, *, port: int) -> int:
    """Serve the UI on 127.0.0.1 until interrupted, with the schedules' daemon; returns its exit status."""
    with shared_instance() as instance:
        make_ready(instance, catalog.load(without_broken=True).resources)
    console.print(f"\nDagster UI: http://127.0.0.1:{port} (Ctrl-C to stop)", highlight=False)
    os.environ.setdefault(UI_URL, f"http://127.0.0.1:{port}")  # for the links in alerts
    workspace = settings.project_root() / "workspace.yaml"
    what = ["-w", str(workspace)] if workspace.exists() else ["-m", "orgdata_dagster.definitions"]
    command = [sys.executable, "-W", "ignore", "-m", "dagster", "dev", *what, "-h", "127.0.0.1", "-p", str(port)]
    # A script's background jobs ignore SIGINT, and a `dagster dev` that inherits this does not stop on SIGTERM either.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # not in the project's folder: the dagster.yaml there would be taken for a second one
    process = subprocess.Popen(command, cwd=settings.home())
    previous = signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    try:
        return process.wait()
    except KeyboardInterrupt:
        return process.wait()
    finally:
        signal.signal(signal.SIGTERM, previous)
