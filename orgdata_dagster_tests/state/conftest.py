"""Fixtures of the tests of shared state: each store, opened as often as a test needs."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from orgdata_dagster.state import FileState, State

BEAT, GRACE, PATIENCE = 0.1, 0.4, 5.0  # seconds


@dataclass(frozen=True)
class Store:
    """One store. Each call opens it again, like another process. `grace`: seconds until a death is noticed."""

    folder: Path
    url: str | None
    grace: float

    def __call__(self) -> State:
        if self.url is None:
            return FileState(self.folder)
        from orgdata_dagster.state.postgres import PostgresState

        return PostgresState(self.url, beat=BEAT, grace=GRACE, patience=PATIENCE)


@pytest.fixture(params=["files", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "files":
        return Store(tmp_path, None, 0.0)
    return Store(tmp_path, request.getfixturevalue("postgres_database"), GRACE)


@dataclass
class Processes:
    """Forked processes that are gone when the test is over."""

    started: list[BaseProcess]

    def __call__(self, work: Callable[..., Any], *args: object) -> BaseProcess:
        self.started.append(multiprocessing.get_context("fork").Process(target=work, args=args, daemon=True))
        self.started[-1].start()
        return self.started[-1]

    def kill(self, process: BaseProcess) -> None:
        """Kill -9, without waiting for its children."""
        os.kill(process.pid or 0, signal.SIGKILL)
        os.waitpid(process.pid or 0, 0)


@pytest.fixture
def start() -> Iterator[Processes]:
    processes = Processes([])
    yield processes
    for process in processes.started:
        process.kill()
        process.join(10)
