"""The last import of the workers' server before it forks: the project's definitions, loaded once for all workers.

Here: what has to be done, not only imported (that is `worker_server.WARM`). Keep out: whatever opens a file or starts a
thread; neither survives a fork.

For the server alone; nothing else imports this module.
"""

import gc
from contextlib import suppress

from orgdata_dagster.cli import workers
from orgdata_dagster.dagster_internals.migrations import read_once

read_once()

with suppress(Exception):  # a worker meets the same error, and tells the user
    workers.job()

gc.freeze()  # what is loaded by now stays: no worker need look through it for garbage, time and again
