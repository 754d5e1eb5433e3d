"""A user's machine in a folder: ORGDATA_HOME, a project, the environment, the command and the tables.

Here: `Home`, with which tests do what a user does, and see what a user sees.
Add here when: two tests look at a home in the same way.
Keep out: vendors (their truth is in `truth.py`), assertions.
"""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from click.testing import CliRunner

from orgdata_dagster import settings
from orgdata_dagster.cli import loaded_project, orgdata
from orgdata_dagster.dagster_internals.job_snapshots import make_once
from orgdata_dagster.orchestration import opening
from orgdata_dagster.orchestration.instance.setup import make_ready, shared_instance
from orgdata_dagster.orchestration.tags import RANGE_END, RANGE_START
from orgdata_dagster.warehouse.storage.connection import Warehouse
from orgdata_dagster_tests import warehouses
from orgdata_dagster_tests.integration import command, project


class Home:
    """`folder` is ORGDATA_HOME. The environment of the test's own process is this home's too, until the test ends."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder / "home"
        self._beside = folder
        self._monkeypatch = monkeypatch
        self._started: list[command.Command] = []
        self._loaded: loaded_project.LoadedProject | None = None
        # not deleted: so that what the test sets is undone at its end
        monkeypatch.setenv("DAGSTER_HOME", "")
        monkeypatch.setenv(settings.WAREHOUSE, warehouses.variable(folder))
        monkeypatch.setenv(settings.HOME, str(self.folder))
        self.write_project(institution_analytics=project.institution_analytics())

    def set(self, **variables: str) -> None:
        """Set environment variables."""
        for name, value in variables.items():
            self._monkeypatch.setenv(name, value)

    def write_project(self, **defs: str) -> Path:
        """Write a project with these defs.yaml files (vendor=text), which is used from now on."""
        self._loaded = None
        number = len(list(self._beside.glob("project-*")))
        folder = project.write(self._beside / f"project-{number}", defs)
        self._monkeypatch.setenv(settings.PROJECT, str(folder))
        return folder

    def store_on_postgres(self, url: str) -> None:
        """Store Dagster's data in this database."""
        instance_file = Path(os.environ[settings.PROJECT]) / "dagster.yaml"
        instance_file.write_text(instance_file.read_text() + project.ON_POSTGRES)
        self.set(DAGSTER_POSTGRES_URL=url)

    def start(self, *args: str, main: str = command.ORGDATA) -> command.Command:
        """Start `orgdata ...`, or another function, in a process of its own."""
        started = command.Command(main, args, {**os.environ, "DAGSTER_HOME": ""}, self._beside)
        self._started.append(started)
        return started

    def close(self) -> None:
        """End all processes that still run, because a failed test must not leave a reader that never ends."""
        for started in self._started:
            started.kill_all()

    def orgdata(self, *args: str) -> command.Done:
        """Run `orgdata ...` to its end."""
        return self.start(*args).wait()

    def shows(self, *args: str) -> command.Done:
        """Run a command that only reads in the test's own process, which takes a fifth of the time."""
        done = CliRunner().invoke(orgdata, args)
        if not isinstance(done.exception, SystemExit | None):
            raise done.exception
        return command.Done(done.exit_code, done.stdout, done.stderr)

    def instance(self) -> AbstractContextManager[dg.DagsterInstance]:
        """The Dagster instance that commands and UI share."""
        return shared_instance()

    def loaded(self) -> loaded_project.LoadedProject:
        """The project's definitions, loaded once, because it takes a while."""
        if self._loaded is None:
            self._loaded = loaded_project.load()
            make_once(self._loaded.job)  # as `orgdata pull`
        return self._loaded

    def materialize(self, asset: str, first: str | None = None, last: str | None = None) -> dg.ExecuteInProcessResult:
        """Run an asset for days in this process, as a worker of `orgdata pull` does."""
        loaded = self.loaded()
        first, last = first or project.today(), last or first or project.today()
        with self.instance() as instance:
            make_ready(instance, loaded.resources)
            return loaded.job.execute_in_process(
                instance=instance,
                asset_selection=[dg.AssetKey(asset.split("/"))],
                tags={RANGE_START: first, RANGE_END: last},
                raise_on_error=False,
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            )

    @property
    def warehouse(self) -> Warehouse:
        """The warehouse, as a reader sees it while runs go on."""
        return opening.warehouse()

    def sql(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        """The rows of a SELECT."""
        with self.warehouse.reading() as connection:
            return connection.execute(sql, parameters).fetchall()

    def everything(self) -> Iterator[tuple[Path, bytes]]:
        """Every file of the home with its bytes."""
        for path in self.folder.rglob("*"):
            if path.is_file():
                yield path, path.read_bytes()
