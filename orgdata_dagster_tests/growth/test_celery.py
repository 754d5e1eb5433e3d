"""Dagster's daemon and two Celery workers as deploy/celery says, on three machines; one worker's machine dies."""

from __future__ import annotations

import logging
import random
import shutil
import socket
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import dagster as dg
import httpx
import pytest

from orgdata_dagster.orchestration.instance.setup import shared_instance
from orgdata_dagster.orchestration.tags import PROCESS_TAG, RANGE_END, RANGE_START
from orgdata_dagster.sandbox import channel_reports, institution_analytics
from orgdata_dagster.sandbox.environment import environment
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster_tests import redis
from orgdata_dagster_tests.growth.machine import Machine, possible, until
from orgdata_dagster_tests.growth.test_two_machines import (
    LIMITS,
    NOT_ENDED,
    all_failed,
    all_on_postgres,
    compare,
    complete,
    looks_for_orphaned_runs,
    watch,
    write_project,
)
from orgdata_dagster_tests.integration.project import today
from orgdata_dagster_tests.postgres import PASSWORD, Server

pytest.importorskip("dagster_celery", reason="the extra is not installed: pip install -e '.[celery]'")

_log = logging.getLogger(__name__)
pytestmark = [
    pytest.mark.growth,
    pytest.mark.skipif(not possible(), reason="namespaces are not allowed here"),
    pytest.mark.skipif(not redis.installed(), reason="Redis is not installed: apt-get install redis-server"),
]

DEPLOY = Path(__file__).parents[2] / "deploy" / "celery"
DAYS = 4
TABLES = (
    "institution_analytics/users",
    "channel_reports/reports_per_state",
    "institution_analytics/courses",
    "channel_reports/reports_over_time",
)
LAUNCH = """
mutation Launch($params: ExecutionParams!) {
  launchRun(executionParams: $params) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
    ... on RunConfigValidationInvalid { errors { message } }
  }
}
"""
TERMINATE = """
mutation Terminate($id: String!) {
  terminateRun(runId: $id) {
    __typename ... on TerminateRunFailure { message } ... on PythonError { message }
  }
}
"""
REPOSITORIES = "{ repositoriesOrError { ... on RepositoryConnection { nodes { name location { name } } } } }"


def documented(program: str) -> str:
    """The one line of the README that starts this program."""
    (line,) = [line[2:] for line in (DEPLOY / "README.md").read_text().splitlines() if line.startswith(f"$ {program} ")]
    return line


class Setup:
    """The machines `main`, `worker-1` and `worker-2`, and what they share."""

    def __init__(self, folder: Path, project: Path, shared: dict[str, str]) -> None:
        self.folder = folder
        for name in ("dagster.yaml", "celery.yaml", "workspace.yaml"):
            shutil.copy(DEPLOY / name, project / name)
        with (project / "pyproject.toml").open("a") as file:
            file.write('code_location_name = "orgdata"\n')
        self.machines = {
            name: Machine(name, folder / name, project, shared | {"DAGSTER_HOME": f"{folder}/{name}/project"})
            for name in ("main", "worker-1", "worker-2")
        }
        self.port = str(_free_port())

    def start(self) -> None:
        """As the README says: prepare, the webserver and the daemon on one machine, a worker on each other one."""
        main, log = self.machines["main"], self.log
        assert main.start(log("prepare"), "prepare").wait(120) == 0, self.printed("prepare")
        for name in ("worker-1", "worker-2"):
            line = documented("dagster-celery").replace("orgdata-1", f"orgdata-{name}")
            self.machines[name].shell(log(name), line)
        main.shell(log("daemon"), documented("dagster-daemon"))
        main.shell(log("webserver"), documented("dagster-webserver").replace("3000", self.port))
        for name in ("worker-1", "worker-2"):
            until(name, 120, lambda name=name: " ready." in self.printed(name))
        with shared_instance() as instance:
            until("the daemon", 180, lambda: looks_for_orphaned_runs(instance))
        until("the webserver", 180, self._answers)

    def log(self, name: str) -> Path:
        """Where a program prints to."""
        return self.folder / f"{name}.log"

    def printed(self, name: str) -> str:
        """What it has printed."""
        return self.log(name).read_text()

    def _answers(self) -> bool:
        """Whether the webserver accepts connections: it says that it serves some time before."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", int(self.port))) == 0

    def ask(self, query: str, **variables: Any) -> Any:
        """A request of the UI."""
        sent = {"query": query, "variables": variables}
        return httpx.post(f"http://127.0.0.1:{self.port}/graphql", json=sent, timeout=60).json()["data"]

    def launch(self, table: str, first: str) -> str:
        """Queue a run of a table from a day on until today, as the UI does; returns its id."""
        (found,) = self.ask(REPOSITORIES)["repositoriesOrError"]["nodes"]
        selector = {
            "repositoryName": found["name"],
            "repositoryLocationName": found["location"]["name"],
            "pipelineName": "__ASSET_JOB",
            "assetSelection": [{"path": table.split("/")}],
        }
        tags = [{"key": RANGE_START, "value": first}, {"key": RANGE_END, "value": today()}]
        params = {"selector": selector, "mode": "default", "executionMetadata": {"tags": tags}}
        launched = self.ask(LAUNCH, params=params)["launchRun"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        return str(launched["run"]["runId"])

    def terminate(self, run_id: str) -> None:
        """What the button of the UI does."""
        ended = self.ask(TERMINATE, id=run_id)["terminateRun"]
        assert ended["__typename"] == "TerminateRunSuccess" or "having status SUCCESS" in ended["message"], ended


def _free_port() -> int:
    """A port that no program gets by asking for any free one, because the webserver only takes it a minute later."""
    for port in random.sample(range(20_000, 30_000), 100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


def test_runs_from_the_queue_are_terminated_and_survive_the_death_of_a_worker(
    postgres: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    analytics = institution_analytics.demo(days=DAYS, rows=3000, page_rows=10, limits=LIMITS)
    reports = channel_reports.demo(days=DAYS, limits=LIMITS)
    with Sandbox(analytics, reports) as sandbox, redis.running(tmp_path) as broker:
        brokers = {"CELERY_BROKER_URL": broker, "CELERY_RESULT_BACKEND": broker}
        shared = all_on_postgres(postgres, tmp_path) | environment(sandbox.url) | brokers
        project = write_project(tmp_path / "project")
        setup = Setup(tmp_path, project, shared)
        watch(monkeypatch, shared, tmp_path / "watcher", project, DAGSTER_HOME=str(project))
        try:
            setup.start()
            _terminate_runs(setup)
            _queue_runs_and_kill_a_worker(setup, sandbox)
            compare(analytics, reports, DAYS)
            assert Counter(entry.status for entry in sandbox.log.entries())[429] == 0
            _log.info("requests: %s", Counter((entry.vendor, entry.status) for entry in sandbox.log.entries()))
            for name in ("prepare", "daemon", "webserver", "worker-1", "worker-2"):
                for secret in (PASSWORD, redis.PASSWORD):
                    assert secret not in setup.printed(name), name
            assert "Hit error while monitoring run" not in setup.printed("daemon")
        except BaseException:
            for name in ("daemon", "worker-1", "worker-2"):
                print(f"--- {name}\n{setup.printed(name)[-6000:]}" if setup.log(name).exists() else name)  # noqa: T201
            raise
        finally:
            for machine in setup.machines.values():
                machine.kill()


def _terminate_runs(setup: Setup) -> None:
    """They end by themselves: Dagster only says that they are canceled after 3 minutes, and ends nothing."""
    launched = {setup.launch(table, today(back=DAYS - 1)) for table in TABLES}
    with shared_instance() as instance:

        def of_these() -> list[dg.DagsterRun]:
            return [run for run in instance.get_runs() if run.run_id in launched]

        waiting, processes = set(launched), list[list[str]]()

        def terminate_what_has_started() -> bool:
            for run in of_these():
                if run.is_finished:
                    waiting.discard(run.run_id)
                if run.run_id in waiting and run.status == dg.DagsterRunStatus.STARTED and PROCESS_TAG in run.tags:
                    processes.append(run.tags[PROCESS_TAG].split(":"))
                    setup.terminate(run.run_id)
                    waiting.remove(run.run_id)
            return not waiting

        until("every run has started", 180, terminate_what_has_started)
        took = until("they have ended", 120, lambda: all(run.is_finished for run in of_these()))
        ended = Counter(run.status for run in of_these())
        _log.info("the runs had ended %.1f s after the last was terminated: %s", took, ended)
        # one that was at its end already may have succeeded
        assert ended.keys() <= {dg.DagsterRunStatus.CANCELED, dg.DagsterRunStatus.SUCCESS}
        assert ended[dg.DagsterRunStatus.CANCELED] > 0
        for name, pid, *_ in processes:
            until("its process has ended", 20, lambda name=name, pid=pid: not setup.machines[name].runs(pid))


def _queue_runs_and_kill_a_worker(setup: Setup, sandbox: Sandbox) -> None:
    queued = {setup.launch(table, today(back=DAYS - 1)) for table in TABLES}
    with shared_instance() as instance:

        def of(machine: str, *statuses: dg.DagsterRunStatus) -> list[dg.DagsterRun]:
            runs = instance.get_runs(dg.RunsFilter(statuses=list(statuses)))
            return [run for run in runs if run.tags.get(PROCESS_TAG, "").startswith(f"{machine}:")]

        def busy() -> str | None:
            """A worker that is in the middle of a run."""
            names = ("worker-1", "worker-2")
            return next((name for name in names if of(name, dg.DagsterRunStatus.STARTED)), None)

        before = len(sandbox.log.entries())
        until("a run", 180, lambda: busy() is not None and len(sandbox.log.entries()) > before + 10)
        victim = busy()
        assert victim is not None
        setup.machines[victim].kill()
        doomed = {run.run_id for run in of(victim, *NOT_ENDED)}
        assert doomed

        def slots() -> set[str]:
            storage = instance.event_log_storage
            pools = [storage.get_concurrency_info(pool) for pool in storage.get_concurrency_keys()]
            return {slot.run_id for pool in pools for slot in pool.claimed_slots}

        took = until("its runs are failed", 60, lambda: all_failed(instance, doomed) and not doomed & slots())
        _log.info("%d runs of %s failed and their slots freed after %.1f s", len(doomed), victim, took)
        assert took < 30
        for run_id in doomed:
            messages = [record.event_log_entry.message for record in instance.get_records_for_run(run_id).records]
            assert any(f"on {victim}, which worked on this run since" in text for text in messages), messages

        # Dagster starts failed runs again, and catch-up asks for what is still missing
        took = until("every day has landed", 300, lambda: complete(instance, TABLES, DAYS))
        _log.info("every day had landed after %.1f s more, by %d runs", took, len(instance.get_runs()))
        failed = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE]))
        # a run that was killed as it began may not have had its tag yet
        assert doomed <= {run.run_id for run in failed} <= queued | doomed
