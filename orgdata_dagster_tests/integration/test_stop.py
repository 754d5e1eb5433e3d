"""SIGTERM, Ctrl-C and kill -9 of a pull: it ends within seconds, and Dagster, the ledger and the table agree."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from orgdata_dagster.orchestration.tags import PROCESS_TAG
from orgdata_dagster.sandbox import faults
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster.warehouse.errors import WarehouseUnavailable
from orgdata_dagster_tests.integration.command import ORGDATA, Command, Done
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.integration.project import NO_COMPUTE_LOGS, institution_analytics, today
from orgdata_dagster_tests.waiting import wait_until

VENDOR = "institution_analytics"
PATIENT = "orgdata_dagster_tests.integration.forking:patient"
AT_MOST = 8  # seconds: 3 on a machine that is not busy; the next request may leave after 10


def slow(home: Home, per_minute: int | None = 6) -> Path:
    """A project of two tables whose pull waits for its rate limit after three days."""
    tables = [{"name": name, "key": ["id"]} for name in ("users", "events")]
    limits = {"concurrent": 1, "per_minute": per_minute}
    return home.write_project(institution_analytics=institution_analytics(limits=limits, tables=tables))


def started(home: Home, sandbox: Sandbox, requests: int, *, landed: bool = True, main: str = ORGDATA) -> Command:
    """A pull that has sent so many requests, and of which something has `landed`."""
    sandbox.institution_analytics.page_rows = 1000  # two requests a day
    pull = home.start("pull", VENDOR, "--from", today(back=5), main=main)
    wait_until(lambda: len(sandbox.log.entries()) >= requests or not pull.running, "the requests")
    time.sleep(0.5)  # by now it waits for an answer, or for the rate limit
    if landed:  # days are committed together, after some seconds
        wait_until(lambda: landed_already(home) or not pull.running, "the first commit")
    assert pull.running
    return pull


def landed_already(home: Home) -> bool:
    try:
        return bool(home.sql("SELECT 1 FROM _orgdata.loads LIMIT 1"))
    except WarehouseUnavailable:
        return False


def ended_in_time(pull: Command, tell: Callable[[], object]) -> Done:
    began = time.monotonic()
    tell()
    done = pull.wait()
    assert time.monotonic() - began < AT_MOST, done.everything
    wait_until(lambda: not pull.group(), "the end of Dagster's helpers")  # they look once a second
    assert "Traceback" not in done.everything
    return done


def landed(home: Home, name: str) -> set[str]:
    """The landed partitions, on which Dagster, the ledger and the table must agree."""
    days = {day for (day,) in home.sql("SELECT partition_key FROM _orgdata.loads WHERE table_name = ?", name)}
    with home.instance() as instance:
        key = dg.AssetKey([VENDOR, name])
        assert instance.get_materialized_partitions(key) == days
    return days


def check_it_goes_on(home: Home, sandbox: Sandbox, command: str, before: set[str]) -> None:
    advised = home.orgdata("doctor", "--offline")
    assert advised.status == 1
    assert command in advised.out
    slow(home, per_minute=None)
    sandbox.log.clear()
    assert home.orgdata(*command.split()[1:]).status == 0
    asked = {
        entry.query["updated_after"][:10] for entry in sandbox.log.entries() if entry.query["data_set"] == "events"
    }
    assert asked.isdisjoint(before - {max(before)})  # the lower bound of the next day lies on that one
    assert landed(home, "events") == landed(home, "users") == {today(back=back) for back in range(6)}
    assert "--resume" not in home.orgdata("doctor", "--offline").out


@pytest.mark.parametrize(
    ("number", "whole_group", "status", "name"),
    [(signal.SIGTERM, False, 143, "SIGTERM"), (signal.SIGINT, True, 130, "Ctrl-C")],
)
def test_a_pull_that_is_stopped(
    home: Home, sandbox: Sandbox, number: signal.Signals, whole_group: bool, status: int, name: str
) -> None:
    """A terminal sends Ctrl-C to the command and to its workers."""
    settings = slow(home) / "dagster.yaml"
    settings.write_text(settings.read_text().replace(NO_COMPUTE_LOGS, ""))  # so with Dagster's helpers, two a run
    pull = started(home, sandbox, requests=6)
    done = ended_in_time(pull, lambda: (os.killpg if whole_group else os.kill)(pull.pid, number))
    assert done.status == status
    [line] = done.err.splitlines()
    days = landed(home, "events")
    assert 1 <= len(days) < 6
    command = f"orgdata pull {VENDOR} --from {today(back=5)} --to {today()} --resume"
    assert line == f"orgdata: stopped by {name}: {len(days)} of 12 partitions have landed; continue with: {command}"
    with home.instance() as instance:
        [run] = instance.get_runs()  # the second table had to wait for its turn
        assert run.status == dg.DagsterRunStatus.CANCELED
        told = [event.message for event in instance.all_logs(run.run_id)]
        assert "The command was stopped (SIGTERM or Ctrl-C)." in told
        pool = instance.event_log_storage.get_concurrency_info(f"{VENDOR}_api")
        assert (pool.active_slot_count, pool.pending_step_count) == (0, 0)
    if number == signal.SIGTERM:  # once is enough
        check_it_goes_on(home, sandbox, command, days)


def test_a_pull_whose_vendor_does_not_answer(home: Home, sandbox: Sandbox) -> None:
    slow(home)
    sandbox.institution_analytics.faults.add(faults.Slow(60), times=9)
    pull = started(home, sandbox, requests=1, landed=False)
    done = ended_in_time(pull, lambda: os.kill(pull.pid, signal.SIGTERM))
    assert done.status == 143
    assert "0 of 12 partitions have landed" in done.err


def test_a_second_signal_ends_it_at_once(home: Home, sandbox: Sandbox) -> None:
    slow(home)
    pull = started(home, sandbox, requests=1, landed=False, main=PATIENT)
    workers = [pid for pid in pull.group() if pid != pull.pid]
    assert workers
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)  # nothing that it asks of them is done
    os.kill(pull.pid, signal.SIGTERM)
    time.sleep(0.3)
    assert pull.running
    os.kill(pull.pid, signal.SIGTERM)
    assert pull.wait(30).status == 143
    wait_until(lambda: not pull.group(), "the end of the workers")


def test_workers_that_do_not_end_are_killed_and_what_they_landed_is_reported(home: Home, sandbox: Sandbox) -> None:
    slow(home)
    pull = started(home, sandbox, requests=6)
    with home.instance() as instance:
        [run] = instance.get_runs()
    worker = int(run.tags[PROCESS_TAG].split(":")[1])
    os.kill(worker, signal.SIGSTOP)
    done = ended_in_time(pull, lambda: os.kill(pull.pid, signal.SIGTERM))
    days = landed(home, "events")
    assert f"{len(days)} of 12 partitions have landed" in done.err
    with home.instance() as instance:
        [run] = instance.get_runs()
        assert run.status == dg.DagsterRunStatus.CANCELED


def test_after_kill_9_landed_partitions_are_reported_to_dagster(home: Home, sandbox: Sandbox) -> None:
    """The ledger once had 11 days that Dagster did not know of."""
    slow(home)
    pull = started(home, sandbox, requests=6)
    pull.kill_all()
    found = home.orgdata("doctor", "--offline").out
    assert "are not reported to Dagster" in found
    assert f"orgdata pull {VENDOR} --from {today(back=5)} --to {today()} --resume" in found
    mended = home.orgdata("doctor", "--offline", "--fix")
    assert mended.status == 1  # what is missing is still to be pulled
    assert "Dagster knows of every landed partition" in mended.out
    assert landed(home, "events")
