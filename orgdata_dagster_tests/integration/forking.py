"""A command that tells what its process has at the moment its workers are forked from it.

What lives here: `main`, to be started instead of `orgdata`; see test_workers.py. Keep out: what it should have.
"""

import json
import os
import sys
import threading

from orgdata_dagster import cli


def main() -> None:
    """Run `orgdata`; every fork adds a line to the file `forks` in the working folder."""
    os.register_at_fork(before=_tell)
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
