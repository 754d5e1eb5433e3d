"""What may be wrong with a machine, by command: one line with cause and remedy, status 1 or 2, and never a traceback.

A condition breaks a home in which one day has landed. Every command that meets it says so in one line, which names the
file and what to do; the others are not affected. Commands run in this process, the runs of a pull too.
"""

from __future__ import annotations

import queue
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from click.testing import CliRunner

from orgdata_dagster.cli import loaded_project, orgdata, workers
from orgdata_dagster.orchestration import opening
from orgdata_dagster.sandbox.environment import environment
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster.warehouse.storage import connection
from orgdata_dagster_tests.cli.breaking import (
    altered,
    cut,
    dagster_file,
    dotenv,
    folder_instead,
    full_warehouse,
    held,
    put,
    rate_limit_folder,
    read_only,
    read_only_warehouse,
    scrambled,
    small_disk,
    variable,
    without_extension,
)
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.integration.project import institution_analytics, today

USERS = "institution_analytics/users"
SYNC = yaml.safe_dump(
    {
        "type": "orgdata_dagster.OctolisSync",
        "attributes": {
            "name": "out", "dataset": "people", "source": "SELECT id FROM institution_analytics.users", "key": ["id"],
        },
    }
)  # fmt: skip
COMMANDS = {
    "doctor": ["doctor", "--offline"],
    "pull": ["pull", USERS],
    "status": ["status"],
    "plan": ["plan", USERS],
    "sync": ["sync", "out", "--dry-run"],
    "validate": ["validate"],
    "dev": ["dev", "--port", "0"],
}
READING = ("pull", "status", "doctor", "plan", "sync")


class Inline:
    """The pool of workers, in this process."""

    def submit(self, run: Callable[[Any], Any], task: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(run(task))
        except Exception as error:  # noqa: BLE001 - as a worker's
            done.set_exception(error)
        return done


@contextmanager
def inline(progress: queue.Queue[Any], job: dg.JobDefinition) -> Iterator[tuple[Inline, queue.Queue[Any]]]:
    workers.serve(progress, job)  # type: ignore[arg-type] # not a queue of multiprocessing
    yield Inline(), progress
    if workers.instance.cache_info().currsize:
        workers.instance().dispose()
    workers.instance.cache_clear()


@dataclass(frozen=True)
class Condition:
    """`broken` breaks a home and returns the path that a line has to name. `words`: of the cause and the remedy.
    `by`: the commands that meet it; all others succeed."""

    broken: Callable[[Home, ExitStack], str]
    words: tuple[str, ...]
    by: tuple[str, ...] = READING
    status: dict[str, int] = field(default_factory=dict)


LEDGER = ("pull", "status", "doctor", "plan")
RATE_LIMIT = ("pull", "doctor", "status")
DAGSTER = ("pull", "sync", "doctor", "dev")
CONDITIONS = {
    "an empty warehouse": Condition(put(b""), ("empty file", "Restore", "mv ")),
    "text for a warehouse": Condition(put(b"this is text, and no database " * 500), ("not a DuckDB", "Restore")),
    "a cut warehouse": Condition(cut, ("is damaged", "Restore")),
    "a scrambled warehouse": Condition(scrambled, ("damaged", "Restore")),
    "a folder for a warehouse": Condition(folder_instead, ("folder", "Move it away")),
    "no ledger table": Condition(altered("DROP TABLE _orgdata.coverage"), ("coverage", "orgdata doctor --fix"), LEDGER),
    "no ledger column": Condition(
        altered("ALTER TABLE _orgdata.loads DROP COLUMN seconds"), ("loads.seconds", "orgdata doctor --fix"), LEDGER
    ),
    "a warehouse in use": Condition(held, ("holds the warehouse", "end it")),
    "a full disk": Condition(small_disk(lambda home: home.folder), ("disk",), ("pull", "sync", "doctor", "status")),
    "a full disk below staging": Condition(
        small_disk(lambda home: home.folder / "staging"), ("disk",), ("pull", "sync", "doctor")
    ),
    "a full disk below the warehouse": Condition(full_warehouse, ("disk",), ("pull", "doctor")),
    "a read-only home": Condition(read_only(lambda home: home.folder), ("ORGDATA_HOME",), READING),
    "a read-only warehouse": Condition(read_only_warehouse, ("rite", "ORGDATA_WAREHOUSE"), READING),
    "a read-only rate limit": Condition(read_only(lambda home: home.folder / "rate_limits"), ("rit",), RATE_LIMIT),
    "a read-only Dagster": Condition(read_only(lambda home: home.folder / "dagster"), ("rit",), DAGSTER),
    "damaged runs": Condition(dagster_file("runs.db", b"x" * 5000), ("is damaged", "mv "), DAGSTER),
    "damaged events": Condition(dagster_file("index.db", b"x" * 5000), ("is damaged", "mv "), DAGSTER),
    "damaged schedules": Condition(dagster_file("schedules.db", b"x" * 5000), ("is damaged", "mv "), DAGSTER),
    "cut runs": Condition(dagster_file("runs.db", None, cut_to=9000), ("is damaged", "mv "), DAGSTER),
    "cut events": Condition(dagster_file("index.db", None, cut_to=9000), ("is damaged", "mv "), DAGSTER),
    "a folder for runs": Condition(dagster_file("runs.db", None), ("is a folder", "mv "), DAGSTER),
    "a folder for events": Condition(dagster_file("index.db", None), ("is a folder", "mv "), DAGSTER),
    "a folder for a rate limit": Condition(rate_limit_folder, ("folder", "move"), RATE_LIMIT),
    "no home": Condition(variable("ORGDATA_HOME", "/proc/none"), ("cannot create", "set"), READING),
    "a home of nobody": Condition(variable("ORGDATA_HOME", "~nobody-here/x"), ("unknown user",), READING),
    "no project": Condition(variable("ORGDATA_PROJECT", "/nowhere"), ("no pyproject.toml",), tuple(COMMANDS)),
    "a bad URI": Condition(variable("ORGDATA_WAREHOUSE", "ftp://user:hidden@x/y"), ("DuckDB file",), READING),
    "a URI without its extension": Condition(without_extension, ("extension",), READING),
    "a folder in the way": Condition(
        variable("ORGDATA_WAREHOUSE", "/proc/none/x.duckdb", "/proc/none"), (), ("pull", "sync")
    ),
    "nonsense in .env": Condition(dotenv(b"A=1\nwhat is this\n"), ("line 2", "NAME=value"), tuple(COMMANDS)),
    "a binary .env": Condition(dotenv(b"A=\xff\xfe\x00"), ("UTF-8",), tuple(COMMANDS)),
}


def project() -> dict[str, str]:
    limits = {"concurrent": 2, "per_minute": 6000}
    return {"institution_analytics": institution_analytics(limits=limits), "octolis": SYNC}


@pytest.fixture(scope="session")
def landed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which two days have landed."""
    from orgdata_dagster.sandbox.institution_analytics import demo
    from orgdata_dagster.sandbox.limits import UNLIMITED

    with pytest.MonkeyPatch.context() as monkeypatch, Sandbox(demo(days=2, rows=60, limits=UNLIMITED)) as sandbox:
        home = Home(tmp_path_factory.mktemp("landed"), monkeypatch)
        home.set(**environment(sandbox.url))
        home.write_project(**project())
        assert home.materialize(USERS, today(back=1), today()).success
        return home.folder


@pytest.fixture
def broken_home(new_home: Home, landed: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Home:
    assert sandbox.url
    shutil.copytree(landed, new_home.folder)
    new_home.write_project(**project())
    progress: queue.Queue[Any] = queue.Queue()
    monkeypatch.setattr(workers, "executor", lambda _, job, **__: inline(progress, job))
    monkeypatch.setattr(connection, "NOTIFY_AFTER", 0.1)
    opened = opening.warehouse
    monkeypatch.setattr(opening, "warehouse", lambda uri="", **_: opened(uri, patience=0.3))
    loaded: list[loaded_project.LoadedProject] = []
    real = loaded_project.load
    monkeypatch.setattr(loaded_project, "load", lambda **_: loaded[0] if loaded else loaded.append(real()) or loaded[0])
    return new_home


@pytest.mark.parametrize("name", CONDITIONS)
def test_a_condition(broken_home: Home, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    condition = CONDITIONS[name]
    with ExitStack() as stack:
        path = condition.broken(broken_home, stack)
        commands = [command for command in COMMANDS if command != "dev" or command in condition.by]
        wrong = [told for command in commands if (told := judged(command, condition, path, monkeypatch))]
    assert not wrong, "\n".join(wrong)


def judged(command: str, condition: Condition, path: str, monkeypatch: pytest.MonkeyPatch) -> str | None:
    """Run a command; returns what is wrong with its output, or None."""
    monkeypatch.setenv("DAGSTER_HOME", "")
    result = CliRunner().invoke(orgdata, COMMANDS[command])
    everything = f"{command}: {result.exit_code} {result.exception!r}\n{result.stdout}{result.stderr}"
    if "Traceback" in everything or not isinstance(result.exception, SystemExit | None):
        return f"dies: {everything}"
    if command not in condition.by:
        return None if result.exit_code == 0 else f"should not mind: {everything}"
    if result.exit_code not in (1, 2):
        return f"should mind: {everything}"
    if command == "doctor" and result.exit_code == 1:  # it lists all that is wrong, with what mends it below
        told, text = (
            [line for line in result.stdout.splitlines() if path in line and "WRONG" in line][:1],
            result.stdout,
        )
    else:
        told, text = result.stderr.splitlines(), result.stderr
    if len(told) != 1 or path not in told[0] or not all(word in text for word in condition.words):
        return f"should say {condition.words} of {path}, in one line: {everything}"
    return None
