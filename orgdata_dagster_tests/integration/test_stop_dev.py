"""SIGTERM, Ctrl-C, a second signal and kill -9 end `orgdata dev`, `demo` and `sync` in time, with all their processes.

Those of a pull are in test_stop.py.
"""

import os
import re
import signal
import socket
import time
from collections.abc import Iterator

import pytest
import yaml

from orgdata_dagster.cli import lifeline
from orgdata_dagster.sandbox.environment import environment
from orgdata_dagster.sandbox.limits import UNLIMITED
from orgdata_dagster.sandbox.octolis import Octolis
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster_tests.integration.command import Command
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.process_state import runs
from orgdata_dagster_tests.vendors.octolis.sync.rig import COLUMNS, CONTACTS, SYNC, Counting
from orgdata_dagster_tests.waiting import wait_until

PROMISED = 3  # seconds, on a machine that has nothing else to do
DEV = "orgdata_dagster_tests.integration.dev_without_dagster:main"


def promised() -> float:
    """The seconds in which a command must end, while other tests use the machine too."""
    return PROMISED * max(1, os.getloadavg()[0] / (os.cpu_count() or 1))


@pytest.fixture
def running(home: Home) -> Iterator[tuple[Command, list[int]]]:
    """A running `dev`, and the processes that it has started: the guard and what stands for Dagster's."""
    dev = home.start("dev", "--port", "0", main=DEV)
    trees = home.folder.parent
    wait_until(lambda: list(trees.glob("command-*/tree")) or not dev.running, "the start of dev")
    [written] = trees.glob("command-*/tree")
    tree = [int(word) for word in written.read_text().split()]
    yield dev, tree
    for pid in filter(runs, tree):
        os.kill(pid, signal.SIGKILL)


def gone(tree: list[int]) -> None:
    wait_until(lambda: not any(map(runs, tree)), "the end of its processes", seconds=20)


def test_dev_that_is_told_to_stop(running: tuple[Command, list[int]]) -> None:
    dev, tree = running
    began = time.monotonic()
    os.kill(dev.pid, signal.SIGINT)
    done = dev.wait()
    assert time.monotonic() - began < promised()
    assert not any(map(runs, tree))
    assert (done.status, "Traceback" in done.everything) == (130, False)
    [line] = done.err.splitlines()
    assert line == "orgdata: stopped by Ctrl-C: no run was in progress; continue with: orgdata dev --port 0"


def test_a_second_signal_ends_dev_at_once(running: tuple[Command, list[int]]) -> None:
    """One of its processes does not end when it is told to, and would be waited for."""
    dev, tree = running
    os.kill(dev.pid, signal.SIGTERM)
    time.sleep(0.2)
    assert dev.running
    began = time.monotonic()
    os.kill(dev.pid, signal.SIGTERM)
    assert dev.wait().status == 143
    assert time.monotonic() - began < lifeline.GRACE / 2
    gone(tree)


def test_kill_9_of_dev_leaves_no_process(running: tuple[Command, list[int]]) -> None:
    """Six processes once stayed, and their daemon went on starting runs."""
    dev, tree = running
    assert all(map(runs, tree))
    dev.kill()
    gone(tree)


def test_a_demo_that_is_told_to_stop(new_home: Home) -> None:
    demo = new_home.start("demo", "--no-ui")

    def shown() -> str:
        return "".join(path.read_text() for path in new_home.folder.parent.glob("command-*/out"))

    wait_until(lambda: re.search(r"\d+ of \d+ partitions|: done", shown()) or not demo.running)
    assert demo.running, shown()
    began = time.monotonic()
    os.kill(demo.pid, signal.SIGTERM)
    done = demo.wait()
    assert time.monotonic() - began < promised()
    assert (done.status, "Traceback" in done.everything) == (143, False)
    assert done.err.splitlines()[-1].startswith("orgdata: stopped by SIGTERM: ")
    assert done.err.endswith("continue with: orgdata demo --resume\n")
    [port] = re.findall(r"simulated vendor APIs at http://127\.0\.0\.1:(\d+)", done.out)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(port)), 1)
    wait_until(lambda: not demo.group(), "the end of its workers")


def test_a_sync_that_is_told_to_stop(home: Home) -> None:
    people = Counting("people", COLUMNS, (("email",),))
    limits = {"points_per_second": 25, "points_per_minute": 10, "account_points_per_minute": 1e6}
    attributes = {**SYNC, "batch_size": 10, "limits": limits}
    home.write_project(octolis=yaml.safe_dump({"type": "orgdata_dagster.OctolisSync", "attributes": attributes}))
    with home.warehouse.writing() as connection:
        connection.execute(CONTACTS.format(rows=120))
    with Sandbox(Octolis([people], limits=UNLIMITED)) as sandbox:
        home.set(**environment(sandbox.url))
        sync = home.start("sync", "out")
        wait_until(lambda: len(sandbox.log.entries()) >= 3 or not sync.running)
        time.sleep(0.3)  # the other batches wait for the rate limit
        began = time.monotonic()
        os.kill(sync.pid, signal.SIGTERM)
        done = sync.wait()
        assert time.monotonic() - began < promised()
        assert (done.status, "Traceback" in done.everything) == (143, False)
        [line] = done.err.splitlines()
        assert re.fullmatch(r"orgdata: stopped by SIGTERM: .+; continue with: orgdata sync out", line)
        wait_until(lambda: not sync.group(), "the end of its worker")
        sent = sum(people.received.values())
        assert 0 < sent < 120
        assert home.sql("SELECT count(*) FROM _orgdata.sync_accepted") == [(sent,)]
