"""Fixtures of tests that run the whole product: a sandbox with HTTP, a home, the command.

Here: fixtures of several folders. They import modules when they are used, because most tests need no Dagster.
Add here when: tests of two folders need a fixture. Keep out: fixtures of one folder (its own conftest).
"""

from __future__ import annotations

import gc
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from orgdata_dagster_tests import warehouses
from orgdata_dagster_tests.examples import TIMES

# Properties are about what is true, not about how fast a busy machine finds out.
# The suite has the same examples every time; with ORGDATA_TEST_EXAMPLES, properties look for new ones.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=TIMES == 1)
settings.load_profile("suite")

# Where there is room, homes and warehouses live in memory: else much of the time is SQLite waiting for a disk.
_MEMORY, _ROOM = "/dev/shm", 4 << 30
_DAY, _CROSSING = 86_400, 20  # seconds; nearly all tests take less than 20

if TYPE_CHECKING:
    from orgdata_dagster.sandbox.server import Sandbox
    from orgdata_dagster_tests.integration.home import Home
    from orgdata_dagster_tests.postgres import Server


def pytest_configure() -> None:
    gc.disable()  # until everything is imported, because imports leave no garbage
    if os.path.isdir(_MEMORY) and shutil.disk_usage(_MEMORY).free > _ROOM:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", _MEMORY)


def pytest_collection_finish() -> None:
    gc.freeze()  # imports stay: a second less for each process, most of it pytest's own collections at its end
    if "dagster" in sys.modules:
        from orgdata_dagster.dagster_internals.migrations import read_once

        read_once()  # or every instance in memory reads Dagster's ninety migration scripts, for a tenth of a second
    gc.enable()
    gc.set_threshold(50_000, 20, 20)  # as workers of a pull; with Python's own a tenth of the time goes into it


def pytest_runtest_setup() -> None:
    """Begin no test just before midnight UTC, because it would see two days, and none with the secrets of others.

    With fifty tokens it takes half a second to register another one.
    """
    if "orgdata_dagster.http.redaction" in sys.modules:
        from orgdata_dagster.http import redaction

        redaction.forget()
    left = _DAY - time.time() % _DAY
    if left < _CROSSING:
        time.sleep(left + 0.01)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A PostgreSQL server, one for all workers of the session. In CI it has to be there."""
    from orgdata_dagster_tests.postgres import NotInstalled, running

    base = tmp_path_factory.getbasetemp()
    try:
        with running(base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) as server:
            warehouses.servers[:] = [server]
            yield server
    except NotInstalled as reason:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(reason))


@pytest.fixture(scope="session", autouse=warehouses.KIND == warehouses.POSTGRES)
def warehouse_server(postgres: Server) -> None:
    """Starts the server before any test when the session's warehouses are lakes on it."""


@pytest.fixture
def goes_on() -> Iterator[None]:
    """Reset the request to stop after a test that asks this process to stop."""
    from orgdata_dagster.state import stopping

    yield
    stopping.resume()


@pytest.fixture
def postgres_database(postgres: Server) -> str:
    """The `postgresql://` URL of a new, empty database, with its password."""
    return postgres.url(postgres.new_database())


@pytest.fixture
def new_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """A user's machine with nothing on it but a project."""
    from orgdata_dagster_tests.integration.home import Home

    with closing(Home(tmp_path, monkeypatch)) as home:
        yield home


@pytest.fixture(scope="session")
def dagster_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a Dagster instance on which nothing has run yet; to make one takes a second."""
    from orgdata_dagster_tests.integration.home import Home

    with pytest.MonkeyPatch.context() as monkeypatch:
        home = Home(tmp_path_factory.mktemp("template"), monkeypatch)
        with home.instance():
            return home.folder / "dagster"


@pytest.fixture
def home(new_home: Home, dagster_home: Path) -> Home:
    """A user's machine on which Dagster's tables are made already."""
    shutil.copytree(dagster_home, new_home.folder / "dagster")
    return new_home


@pytest.fixture
def sandbox(new_home: Home) -> Iterator[Sandbox]:
    """The institution's API with some days of awkward data, small pages and no limits; `home` has its address."""
    from orgdata_dagster.sandbox.environment import environment
    from orgdata_dagster.sandbox.institution_analytics import demo
    from orgdata_dagster.sandbox.limits import UNLIMITED
    from orgdata_dagster.sandbox.server import Sandbox

    vendor = demo(days=6, rows=600, page_rows=40, limits=UNLIMITED)
    with Sandbox(vendor) as running:
        new_home.set(**environment(running.url))
        yield running
