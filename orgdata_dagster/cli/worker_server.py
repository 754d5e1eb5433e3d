"""The server that the workers of a command are forked from.

Here: `start`, which imports nothing of weight: the server imports the project (a second and a half) while the command
does the same. Keep out: what a worker does (workers.py), and what the server does besides importing (warm.py).

It has imported everything once; a fresh interpreter a run would cost seconds.
"""

from __future__ import annotations

import multiprocessing
from multiprocessing import forkserver

from orgdata_dagster.dagster_internals import warm_modules

# What every run needs, imported once by the server: most of it is what Dagster would import only with the first
# instance and the first run, half a second in each worker.
WARM = (
    "orgdata_dagster.cli.workers",
    "orgdata_dagster.cli.catalog",
    *warm_modules.MODULES,
    "orgdata_dagster.dagster_internals.event_log",
    "httpcore",
    "jinja2.nativetypes",
)


def start() -> None:
    """Start the server, unless it runs; it makes itself ready meanwhile."""
    multiprocessing.set_forkserver_preload([*WARM, "orgdata_dagster.cli.warm"])
    forkserver.ensure_running()
