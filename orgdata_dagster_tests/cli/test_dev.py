"""Cases in which `orgdata dev`, `demo` and `sandbox` refuse to start: one line, status 2, and no process is left."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from orgdata_dagster import settings
from orgdata_dagster.orchestration.instance.daemons import daemons
from orgdata_dagster.state.file_lock import locked
from orgdata_dagster_tests.integration.command import Command
from orgdata_dagster_tests.integration.home import Home


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which another program listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def refused(command: Command) -> str:
    done = command.wait(20)
    assert done.status == 2, done.everything
    assert command.group() == []
    [line] = done.everything.splitlines()
    return line


@pytest.mark.parametrize("command", ["dev", "demo", "sandbox"])
def test_a_port_in_use(home: Home, taken: int, command: str) -> None:
    line = refused(home.start(command, "--port", str(taken)))
    assert line == f"orgdata: --port {taken} is in use; end the program that listens there, or choose another --port"


def test_an_invalid_port_number(home: Home) -> None:
    assert "--port 70000: a port is a number from 0 to 65535" in refused(home.start("dev", "--port", "70000"))


def test_beside_another_dev(home: Home) -> None:
    with locked(settings.home() / "dev.lock", shared=False):
        line = refused(home.start("dev", "--port", "0"))
    assert f"`orgdata dev` (process {os.getpid()} on {socket.gethostname()}) already runs on this instance" in line


def test_beside_a_daemon_that_somebody_started_by_hand(home: Home) -> None:
    code = "input()"
    environment = {**os.environ, "DAGSTER_HOME": str(settings.dagster_home())}
    with subprocess.Popen(
        [sys.executable, "-c", code, "dagster._daemon", "run"], stdin=subprocess.PIPE, env=environment
    ) as daemon:
        assert daemons(settings.dagster_home()) == [daemon.pid]
        line = refused(home.start("dev", "--port", "0"))
        assert f"a Dagster daemon (process {daemon.pid}) already runs on this instance" in line
        daemon.kill()
    assert daemons(settings.dagster_home()) == []
