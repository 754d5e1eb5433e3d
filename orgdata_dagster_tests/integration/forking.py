"""Commands that are started instead of `orgdata`.

Here: `main`, which tells what its process has at the moment its workers are forked from it (test_workers.py), and
`patient` (test_stop.py). Keep out: what is expected of them.
"""

import json
import os
import sys
import threading

from orgdata_dagster import cli
from orgdata_dagster.cli import workers


def main() -> None:
    """Run `orgdata`; every fork adds a line to the file `forks` in the working folder."""
    os.register_at_fork(before=_tell)
    cli.main()


def patient() -> None:
    """Run `orgdata`, but give workers that do not end a whole minute."""
    workers.PATIENCE = 60.0
    cli.main()


def _tell() -> None:
    if "dagster" not in sys.modules:
        return
    files = [os.path.realpath(f"/proc/self/fd/{each}") for each in os.listdir("/proc/self/fd")]
    told = {
        "threads": threading.active_count(),
        "tasks": len(os.listdir("/proc/self/task")),
        "files": files,
        "pandas": bool(sys.modules.get("pandas")),
    }
    with open("forks", "a") as out:
        out.write(json.dumps(told) + "\n")
