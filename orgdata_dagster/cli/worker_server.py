"""The server that the workers of a command are forked from.

Here: `start`, which imports nothing of weight: the server imports the project (a second and a half) while the command
does the same. Keep out: what a worker does (workers.py), and what the server does besides importing (warm.py).

It has imported everything once; a fresh interpreter a run would cost seconds.
"""

from __future__ import annotations

import multiprocessing
from multiprocessing import forkserver

# What every run needs, imported once by the server: most of it is what Dagster would import only with the first
# instance and the first run, half a second in each worker. A module that a later Dagster has not is passed over.
WARM = (
    "orgdata_dagster.cli.workers",
    "orgdata_dagster.cli.catalog",
    "dagster._core.storage.sqlite_storage",
    "dagster._core.storage.root",
    "dagster._core.storage.local_compute_log_manager",
    "dagster._core.execution.execute_in_process",
    "dagster._core.executor.in_process",
    "dagster._core.storage.legacy_storage",
    "dagster._core.storage.defs_state.blob_storage_state_storage",
    "orgdata_dagster.orchestration.event_log",
    "httpcore",
    "jinja2.nativetypes",
)


def start() -> None:
    """Start the server, unless it runs; it makes itself ready meanwhile."""
    multiprocessing.set_forkserver_preload([*WARM, "orgdata_dagster.cli.warm"])
    forkserver.ensure_running()
