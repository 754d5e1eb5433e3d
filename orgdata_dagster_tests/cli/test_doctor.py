"""The problems that the doctor finds, its remedies, and its fixes."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from orgdata_dagster.cli.doctor import Opened, apply_fixes, examine, machine
from orgdata_dagster.cli.doctor.finding import Finding
from orgdata_dagster.cli.loaded_project import LoadedProject
from orgdata_dagster.orchestration.instance.daemons import age
from orgdata_dagster.orchestration.instance.setup import make_ready
from orgdata_dagster.orchestration.tags import GRPC_INFO_TAG, PROCESS_TAG
from orgdata_dagster.sandbox.faults import Status
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster_tests.dagster_internals.for_tests import DaemonHeartbeat
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.integration.project import today

POOL = "institution_analytics_api"


class Patient:
    """A home under examination."""

    def __init__(self, home: Home, instance: dg.DagsterInstance) -> None:
        self.home = home
        self.instance = instance
        self.loaded: LoadedProject = home.loaded()

    def wrong(self, *, ask: bool = True) -> dict[str, Finding]:
        """The problems: subject -> finding."""
        return {one.about: one for one in examine(Opened(self.loaded, self.instance), ask=ask) if not one.good}


@pytest.fixture
def patient(home: Home, sandbox: Sandbox) -> Iterator[Patient]:
    assert sandbox.url
    with home.instance() as instance:
        made = Patient(home, instance)
        make_ready(instance, made.loaded.resources)
        yield made


def test_a_healthy_home_costs_one_request_per_vendor(patient: Patient, sandbox: Sandbox) -> None:
    found = list(examine(Opened(patient.loaded, patient.instance), ask=True))
    assert [one for one in found if not one.good] == []
    assert {one.about for one in found} == {
        "versions", "folder", "private", "warehouse", "institution_analytics", "pools", "runs", "slots", "reports",
        "daemon", "event log", "coverage", "memory", "checks", "alerts", "state",
    }  # fmt: skip
    assert any("answers, and accepts the credentials; its clock differs by" in one.what for one in found)
    [asked] = sandbox.log.entries()
    assert (asked.status, asked.rows) == (200, 0)


def test_vendors_that_do_not_answer_or_refuse_or_lack_a_variable(patient: Patient, sandbox: Sandbox) -> None:
    sandbox.institution_analytics.faults.add(Status(503))
    assert "503" in patient.wrong()["institution_analytics"].what
    patient.home.set(INSTITUTION_ANALYTICS_API_KEY="a wrong one")
    refused = patient.wrong()["institution_analytics"]
    assert "401" in refused.what
    assert "a wrong one" not in refused.what
    patient.home.set(INSTITUTION_ANALYTICS_API_KEY="")
    asked = len(sandbox.log.entries())
    assert patient.wrong()["institution_analytics"].what == (
        "not configured: set INSTITUTION_ANALYTICS_API_KEY; its other variables are set"
    )
    assert len(sandbox.log.entries()) == asked


def test_pools_dead_runs_and_leaked_slots_are_fixed(patient: Patient) -> None:
    storage = patient.instance.event_log_storage
    storage.set_concurrency_slots(POOL, 7)
    job = patient.loaded.job
    killed = patient.instance.create_run_for_job(job, tags={PROCESS_TAG: f"{socket.gethostname()}:999999:1"})
    died = patient.instance.create_run_for_job(
        job,
        tags={GRPC_INFO_TAG: '{"host": "localhost", "socket": "/nowhere"}'},
        status=dg.DagsterRunStatus.STARTED,
    )
    ended = patient.instance.create_run_for_job(job)
    patient.instance.report_run_failed(ended)
    for run in (killed, died, ended):
        storage.claim_concurrency_slot(POOL, run.run_id, "step")
    wrong = patient.wrong(ask=False)
    assert set(wrong) == {"pools", "runs", "slots"}
    assert killed.run_id[:8] in wrong["runs"].what
    assert died.run_id[:8] in wrong["runs"].what
    assert {one.remedy for one in wrong.values()} == {"orgdata doctor --fix"}
    assert len(list(apply_fixes(wrong.values()))) == 2
    assert patient.wrong(ask=False) == {}
    assert storage.get_concurrency_info(POOL).slot_count == 2
    assert storage.get_concurrency_info(POOL).claimed_slots == []


def test_a_daemon_without_heartbeats(patient: Patient) -> None:
    long_ago = (datetime.now(UTC) - timedelta(hours=1)).timestamp()
    patient.instance.add_daemon_heartbeat(DaemonHeartbeat(long_ago, "SCHEDULER", "id", []))
    silent = patient.wrong(ask=False)["daemon"]
    assert "SCHEDULER" in silent.what
    assert silent.remedy == "orgdata dev"


def test_a_daemon_that_has_just_started(patient: Patient) -> None:
    environment = {**os.environ, "DAGSTER_HOME": patient.instance.root_directory}
    with subprocess.Popen(
        [sys.executable, "-c", "input()", "dagster._daemon", "run"], stdin=subprocess.PIPE, env=environment
    ) as daemon:
        found = {one.about: one for one in examine(Opened(patient.loaded, patient.instance), ask=False)}
        assert found["daemon"].what.startswith(f"is starting (process {daemon.pid})")
        assert 0 < age(daemon.pid) < 60
        daemon.kill()


def test_missing_partitions_are_reported_with_the_pull_that_fills_them(patient: Patient) -> None:
    for back in (4, 1):
        patient.home.materialize("institution_analytics/users", today(back=back))
    partition = patient.wrong(ask=False)["institution_analytics/users"]
    assert partition.what == f"missing: 2 partitions, {today(back=3)} to {today(back=2)}"
    pull = partition.remedy.split(" (")[0].split()[1:]
    assert patient.home.orgdata(*pull).status == 0
    assert "institution_analytics/users" not in patient.wrong(ask=False)


def test_the_command_ends_with_1_if_anything_is_wrong(home: Home, sandbox: Sandbox) -> None:
    assert sandbox.url
    fresh = home.orgdata("doctor", "--offline")
    assert (fresh.status, "ok    pools: not set yet" in fresh.out) == (0, True), fresh.everything
    with home.instance() as instance:
        instance.event_log_storage.set_concurrency_slots(POOL, 7)
    wrong = home.orgdata("doctor", "--offline")
    assert (wrong.status, "WRONG pools" in wrong.out) == (1, True), wrong.everything
    fixed = home.orgdata("doctor", "--fix")
    assert (fixed.status, "fixed: set the pools" in fixed.out) == (0, True)


def test_a_paused_vendor_is_named_shown_and_lifted(home: Home, sandbox: Sandbox) -> None:
    """`Retry-After: 86400` once made every later pull hang for a day without a message."""
    sandbox.institution_analytics.faults.add(Status(429, retry_after=86_400))
    failed = home.orgdata("pull", "institution_analytics/users")
    assert failed.status == 1
    assert "the vendor asks for a pause of 24 h, longer than the 15 min of retries.longest_pause" in failed.err
    assert "`orgdata doctor --clear institution_analytics` lifts the pause" in failed.err
    again = home.orgdata("pull", "institution_analytics/users")
    assert (again.status, "no request was sent" in again.err) == (1, True), again.everything
    assert len(sandbox.log.entries()) == 1
    told = home.orgdata("doctor")
    assert (told.status, "WRONG institution_analytics: PAUSED: no request is sent until " in told.out) == (1, True)
    assert "it asked for 24 h" in told.out
    assert "institution_analytics is PAUSED: no request is sent until" in home.shows("status").out
    lifted = home.orgdata("doctor", "--clear", "institution_analytics")
    assert "Requests to institution_analytics are allowed again: its pause had 15 min left" in lifted.out.replace(
        "14 min", "15 min"
    )
    assert home.orgdata("pull", "institution_analytics/users").status == 0
    assert "PAUSED" not in home.shows("status").out


def test_a_wait_is_on_the_terminal_and_in_the_log(home: Home, sandbox: Sandbox) -> None:
    sandbox.institution_analytics.faults.add(Status(429, retry_after=6))
    done = home.orgdata("pull", "institution_analytics/users")
    assert done.status == 0, done.everything
    line = "institution_analytics/users: waiting for the end of the pause that the vendor asked for until "
    assert any(told.startswith(line) for told in done.out.splitlines())
    with home.instance() as instance:
        [run] = instance.get_runs()
        assert any(line in entry.user_message for entry in instance.all_logs(run.run_id))


def test_a_warehouse_for_several_machines_with_the_state_of_one(home: Home) -> None:
    """Two machines would each use the whole of a vendor's limit."""
    pytest.importorskip("psycopg")

    def state() -> str:
        return next(found.what for found in machine.findings() if found.about == "state")

    assert "ORGDATA_STATE" not in state()
    home.set(ORGDATA_WAREHOUSE="ducklake:postgres:host=127.0.0.1 port=1")
    assert state().endswith("; set ORGDATA_STATE before a second one pulls, or together they break rate limits")
