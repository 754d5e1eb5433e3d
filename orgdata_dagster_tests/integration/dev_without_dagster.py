"""`orgdata dev` with a small tree of processes in place of Dagster's, which take ten seconds to start.

Here: `main`, which is started instead of `orgdata`; see test_stop_dev.py. Keep out: what must happen to the tree.
"""

import importlib
import sys
from pathlib import Path

from orgdata_dagster import cli

# Three processes: one that ends when it is told to, one that does not, and their parent. The guard is the parent's own.
_TREE = """
import os, signal, subprocess, sys, time
def child(code):
    return subprocess.Popen([sys.executable, "-c", code]).pid
pids = [os.getppid(), os.getpid(), child("import time; time.sleep(600)"),
        child("import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(600)")]
time.sleep(0.3)
with open(sys.argv[1] + ".new", "w") as out:
    out.write(" ".join(map(str, pids)))
os.rename(sys.argv[1] + ".new", sys.argv[1])
time.sleep(600)
"""


def main() -> None:
    """Run `orgdata`; the process ids of the tree are in the file `tree` in the working folder."""
    there = str(Path.cwd() / "tree")
    dev = importlib.import_module("orgdata_dagster.cli.dev")  # `cli.dev` is the command
    vars(dev)["_command"] = lambda _: [sys.executable, "-c", _TREE, there]
    cli.main()
