"""What `make soak` and `make bench` say of a command is so: stuck, crashed, seconds, memory, and nothing is left."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.outside import group as groups
from benchmarks.outside.command import Command, Ended
from benchmarks.outside.server import ROOT
from orgdata_dagster_tests.waiting import wait_until

PYTHON = sys.executable
both = pytest.mark.usefixtures("_either_kind_of_group")


@pytest.fixture(params=["cgroup", "marked"])
def _either_kind_of_group(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways to know who belongs to a command."""
    if request.param == "marked":
        monkeypatch.setattr(groups, "make", lambda _limit=None: groups.Marked())
    elif not _cgroup_is_possible():
        pytest.skip("no memory cgroup can be made here")


def _cgroup_is_possible() -> bool:
    group = groups.make()
    group.close()
    return group.kind == "cgroup"


def run(folder: Path, script: str, *, timeout: float = 20, grace: float = 0.3) -> Ended:
    return Command(["/bin/sh", "-c", script], dict(os.environ), folder).wait(timeout, grace)


def wait_for_the_end_of(pid: int) -> None:
    wait_until(lambda: groups.state(pid) in ("", "Z", "X"), "its end", seconds=20)


@both
def test_a_command_that_ends(tmp_path: Path) -> None:
    ended = run(tmp_path, "echo out; echo err >&2; exit 3")
    assert (ended.status, ended.out, ended.err, ended.stuck, ended.crashed) == (3, "out\n", "err\n", False, False)


@both
def test_a_command_that_does_not_end_is_stuck_and_killed(tmp_path: Path) -> None:
    ended = run(tmp_path, "echo $$; exec sleep 60", timeout=0.3)
    assert ended.stuck
    assert ended.seconds < 30  # it would sleep for 60
    wait_for_the_end_of(int(ended.out))


@both
def test_a_process_that_outlives_its_command_is_stuck_and_killed(tmp_path: Path) -> None:
    """Also one in a session of its own, which no process group shows."""
    ended = run(tmp_path, "setsid sleep 60 & echo $!; sleep 0.2")
    assert (ended.status, ended.stuck) == (0, True)
    wait_for_the_end_of(int(ended.out))


@both
def test_a_command_that_dies_of_a_signal_or_shows_a_traceback_crashed(tmp_path: Path) -> None:
    assert run(tmp_path / "a", "kill -SEGV $$").crashed
    assert run(tmp_path / "b", f"{PYTHON} -c 'raise ValueError(1)'").crashed


@both
def test_memory_and_cpu_are_those_of_the_whole_tree(tmp_path: Path) -> None:
    child = "import time; held = bytearray(b'x') * 80_000_000\nwhile time.process_time() < 0.6: pass"
    ended = run(tmp_path, f'{PYTHON} -c "{child}" & wait')
    assert 80e6 < ended.peak < 300e6
    assert 0.6 < ended.cpu < 3
    assert ended.seconds > 0.5


def test_a_limit_is_one(tmp_path: Path) -> None:
    if not _cgroup_is_possible():
        pytest.skip("no memory cgroup can be made here")
    words = [PYTHON, "-c", "held = bytearray(b'x') * 200_000_000"]
    ended = Command(words, dict(os.environ), tmp_path, limit=60_000_000).wait(30)
    assert (ended.crashed, ended.out_of_memory) == (True, 1)


def test_a_harness_that_is_told_to_stop_leaves_nothing_behind(tmp_path: Path) -> None:
    script = (
        "import os, sys\nfrom pathlib import Path\nfrom benchmarks.outside import stopping\n"
        "from benchmarks.outside.command import Command\n"
        f"with stopping.guarded():\n    command = Command(['/bin/sh', '-c', 'setsid sleep 60 & echo $!; wait'],"
        f" dict(os.environ), Path({str(tmp_path)!r}))\n    print('started', flush=True)\n    command.wait(60)\n"
    )
    harness = subprocess.Popen([PYTHON, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert harness.stdout is not None
    assert harness.stdout.readline() == "started\n"
    wait_until(lambda: (tmp_path / "out").read_text().endswith("\n"))
    harness.terminate()
    assert harness.wait(20) == 143
    wait_for_the_end_of(int((tmp_path / "out").read_text()))


def test_the_seconds_are_the_commands_not_those_until_somebody_asked(tmp_path: Path) -> None:
    command = Command(["/bin/true"], dict(os.environ), tmp_path)
    time.sleep(1.5)
    assert command.wait(5).seconds < 1.4
