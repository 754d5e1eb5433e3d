"""A tree of processes under a guard: no process remains, however the starting process ends."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator

import pytest

from orgdata_dagster.cli import lifeline
from orgdata_dagster_tests.process_state import runs, stat
from orgdata_dagster_tests.waiting import wait_until

# A tree of three: one that ends when it is told to, one that does not, and their parent.
_TREE = """
import os, signal, subprocess, sys, time
def child(code):
    return subprocess.Popen([sys.executable, "-c", code]).pid
pids = [os.getpid(), child("import time; time.sleep(600)"),
        child("import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)")]
time.sleep(0.3)
print(*pids, flush=True)
time.sleep(600)
"""
# What starts it, as `orgdata dev` does.
_STARTER = """
import subprocess, sys
guard = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, start_new_session=True)
guard.wait()
"""


@pytest.fixture
def tree() -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """The process that started a tree, and the ids of all processes of the tree, including the guard."""
    command = [sys.executable, "-c", _STARTER, *lifeline.command(sys.executable, "-c", textwrap.dedent(_TREE))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        pids = [int(word) for word in starter.stdout.readline().split()]
        guard = int(stat(pids[0])[1])
        yield starter, [guard, *pids]
        starter.kill()
        for pid in filter(runs, [guard, *pids]):
            os.kill(pid, signal.SIGKILL)


def test_kill_9_of_the_starting_process_leaves_nothing_behind(tree: tuple[subprocess.Popen[str], list[int]]) -> None:
    """Six processes once remained, and their daemon kept starting runs."""
    starter, pids = tree
    assert all(map(runs, pids))
    starter.kill()
    wait_until(lambda: not any(map(runs, pids)), "their end")


@pytest.mark.parametrize("which", [0, 1])
def test_a_killed_child_ends_the_whole_tree(tree: tuple[subprocess.Popen[str], list[int]], which: int) -> None:
    """The end of the guard is a signal at once; the guard notices the end of the command."""
    _, pids = tree
    os.kill(pids[which], signal.SIGTERM)
    wait_until(lambda: not any(map(runs, pids)), "their end")
