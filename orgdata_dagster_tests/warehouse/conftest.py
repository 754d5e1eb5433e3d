"""Fixtures of the tests of `warehouse/`."""

from collections.abc import Callable, Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path

import duckdb
import pytest

from orgdata_dagster.warehouse.storage.connection import Warehouse
from orgdata_dagster_tests.processes import PROCESSES
from orgdata_dagster_tests.waiting import wait_until
from orgdata_dagster_tests.warehouse.rig import Rig


@pytest.fixture(scope="session")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    with Warehouse("", scratch=tmp_path_factory.mktemp("scratch")).scratch_connection() as connection:
        yield connection


@pytest.fixture
def rig(tmp_path: Path, scratch: duckdb.DuckDBPyConnection) -> Rig:
    return Rig(tmp_path, scratch)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, scratch: duckdb.DuckDBPyConnection) -> Rig:
    """One warehouse for all tests of a module: for tables of cases, where a commit each would take too long."""
    return Rig(tmp_path_factory.mktemp("shared"), scratch)


class Starter:
    """Starts processes that are gone when the test is over."""

    def __init__(self) -> None:
        self.started: list[BaseProcess] = []

    def __call__(self, work: Callable[..., None], *args: object) -> BaseProcess:
        self.started.append(PROCESSES.Process(target=work, args=args, daemon=True))
        self.started[-1].start()
        return self.started[-1]

    def wait_for(self, file: Path) -> None:
        def appeared() -> bool:
            assert all(process.exitcode in (None, 0, -9) for process in self.started), "a process failed"
            return file.exists()

        wait_until(appeared, file.name)


@pytest.fixture
def start() -> Iterator[Starter]:
    starter = Starter()
    yield starter
    for process in starter.started:
        process.kill()
        process.join(10)
