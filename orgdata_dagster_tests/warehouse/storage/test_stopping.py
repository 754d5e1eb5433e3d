"""A process that is asked to stop does not wait for the end of whoever holds the warehouse."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from orgdata_dagster.state import stopping
from orgdata_dagster.warehouse.storage.connection import Warehouse
from orgdata_dagster_tests import warehouses
from orgdata_dagster_tests.stopping import stopped
from orgdata_dagster_tests.warehouse.conftest import Starter
from orgdata_dagster_tests.warehouse.worker import hold_open

GRACE, AT_MOST = 0.2, 5.0  # seconds; a second on a machine that is not busy

pytestmark = pytest.mark.usefixtures("goes_on")


@pytest.fixture(params=warehouses.KINDS)
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Warehouse:
    if request.param != warehouses.FILE:
        warehouses.need_lakes()
    if request.param == warehouses.POSTGRES:
        request.getfixturevalue("postgres")
    opened = Warehouse(warehouses.location(tmp_path, request.param), scratch=tmp_path / "scratch")
    with opened.writing() as connection:
        connection.execute("CREATE TABLE t (a INTEGER)")
    return opened


@contextmanager
def noted_threads() -> Iterator[Callable[[], bool]]:
    """Whether a thread has begun to wait since."""
    before = threading.active_count()
    yield lambda: threading.active_count() > before + 1


def write(warehouse: Warehouse) -> None:
    with warehouse.writing() as connection:
        connection.execute("INSERT INTO t VALUES (1)")


def read(warehouse: Warehouse) -> None:
    with warehouse.reading():
        pass


def test_a_writer_that_waits_for_the_lock_ends(warehouse: Warehouse) -> None:
    """It once looked at the request to stop only after the holder had committed."""
    with warehouse.writing(), noted_threads() as waits:
        took = stopped(lambda: write(warehouse), grace=GRACE, under_way=waits)
    assert GRACE <= took < AT_MOST
    stopping.resume()
    write(warehouse)  # who has given up does not get the lock
    with warehouse.reading() as connection:
        assert connection.execute("SELECT count(*) FROM t").fetchall() == [(1,)]


def test_a_reader_that_waits_for_the_lock_ends(warehouse: Warehouse) -> None:
    if not warehouse.storage.consistent:
        read(warehouse)  # readers need no lock
        return
    with warehouse.writing():
        assert stopped(lambda: read(warehouse), grace=GRACE) < AT_MOST


def test_a_holder_that_commits_in_time_is_waited_for(warehouse: Warehouse) -> None:
    """What has been pulled is still committed if another process only holds the lock for a moment."""
    written = threading.Event()
    with warehouse.writing(), noted_threads() as waits:
        waiter = threading.Thread(target=lambda: (write(warehouse), written.set()))
        waiter.start()
        while not waits():
            time.sleep(0.01)
        stopping.stop(20)
        time.sleep(0.1)
        assert not written.is_set()
    assert written.wait(10)


@warehouses.only_files
def test_a_wait_for_another_program_ends(tmp_path: Path, start: Starter) -> None:
    warehouse = Warehouse(str(tmp_path / "warehouse.duckdb"), scratch=tmp_path / "scratch")
    with warehouse.writing() as connection:
        connection.execute("CREATE TABLE t (a INTEGER)")
    start(hold_open, warehouse.uri, tmp_path / "ready", 60)
    start.wait_for(tmp_path / "ready")
    with pytest.raises(duckdb.IOException):
        duckdb.connect(warehouse.uri)
    assert stopped(lambda: write(warehouse), grace=GRACE) < AT_MOST
