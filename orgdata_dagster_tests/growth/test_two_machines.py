"""Two machines with nothing in common but PostgreSQL and the lake's folder backfill two vendors; one is killed."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import dagster as dg
import pytest
import yaml

from orgdata_dagster import settings
from orgdata_dagster.orchestration.automation import orphaned_runs_sensor
from orgdata_dagster.orchestration.instance.setup import shared_instance
from orgdata_dagster.orchestration.resources import WarehouseResource
from orgdata_dagster.orchestration.tags import PROCESS_TAG
from orgdata_dagster.sandbox import channel_reports, institution_analytics
from orgdata_dagster.sandbox.channel_reports.api import POLITE
from orgdata_dagster.sandbox.environment import environment
from orgdata_dagster.sandbox.limits import faster
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster_tests.growth.machine import Machine, possible, until
from orgdata_dagster_tests.integration import project
from orgdata_dagster_tests.integration.project import today
from orgdata_dagster_tests.integration.truth import difference
from orgdata_dagster_tests.postgres import PASSWORD, USER, Server
from orgdata_dagster_tests.vendors.channel_reports import rig

_log = logging.getLogger(__name__)
pytestmark = [pytest.mark.growth, pytest.mark.skipif(not possible(), reason="namespaces are not allowed here")]

DAYS = 30
REPORTS = ("reports_per_state", "reports_over_time")
OF_A = ("institution_analytics/users", "channel_reports/reports_per_state")
OF_B = ("institution_analytics/courses", "channel_reports/reports_over_time")
LIMITS = faster(POLITE, 2)
NOT_ENDED = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]
YAML_LIMITS = {"concurrent": 4, "per_minute": 240}


class Reports(rig.Rig):
    """The reports in the warehouse, and those that the vendor has."""

    def __init__(self, vendor: channel_reports.ChannelReports) -> None:
        self.vendor, self.warehouse = vendor, WarehouseResource()


def write_project(folder: Path) -> Path:
    """A project of the two vendors, on Dagster's storage in PostgreSQL."""
    analytics = project.institution_analytics(start_date=today(back=60), limits=YAML_LIMITS)
    reports = rig.attributes(limits=YAML_LIMITS, tables=[{"name": name} for name in REPORTS])
    text = yaml.safe_dump({"type": "orgdata_dagster.ChannelReports", "attributes": reports})
    made = project.write(folder, {"institution_analytics": analytics, "channel_reports": text})
    (made / "dagster.yaml").write_text((made / "dagster.yaml").read_text() + project.ON_POSTGRES)
    return made


def all_on_postgres(postgres: Server, folder: Path) -> dict[str, str]:
    """The variables of machines that share new databases, and a lake whose files are in the folder."""

    def database() -> str:
        return f"postgresql://{USER}@127.0.0.1:{postgres.port}/{postgres.new_database()}"

    catalog = postgres.keywords(postgres.new_database(), password=False)
    return {
        "PGPASSWORD": PASSWORD,
        "ORGDATA_STATE": database(),
        "DAGSTER_POSTGRES_URL": database(),
        "ORGDATA_WAREHOUSE": f"ducklake:postgres:{catalog}?DATA_PATH={folder}/lake",
    }


def watch(monkeypatch: pytest.MonkeyPatch, shared: dict[str, str], home: Path, project: Path, **others: str) -> None:
    """Let the test's own process see what the machines do, from a home of its own."""
    for name, value in {**shared, settings.HOME: str(home), settings.PROJECT: str(project), **others}.items():
        monkeypatch.setenv(name, value)


def test_a_backfill_on_two_machines_survives_the_death_of_one(
    postgres: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    analytics = institution_analytics.demo(days=DAYS, rows=3000, page_rows=10, limits=LIMITS)
    reports = channel_reports.demo(days=DAYS, limits=LIMITS)
    with Sandbox(analytics, reports) as sandbox:
        shared = all_on_postgres(postgres, tmp_path) | environment(sandbox.url)
        made = write_project(tmp_path / "project")
        watch(monkeypatch, shared, tmp_path / "watcher", made)
        monkeypatch.delenv("DAGSTER_HOME", raising=False)
        machines = [Machine(f"machine-{name}", tmp_path / name, made, shared) for name in ("a", "b")]
        try:
            _backfill(machines, sandbox, tmp_path)
            compare(analytics, reports, DAYS)
            assert Counter(entry.status for entry in sandbox.log.entries())[429] == 0
            _log.info("requests: %s", Counter((entry.vendor, entry.status) for entry in sandbox.log.entries()))
        finally:
            for machine in machines:
                machine.kill()


def _backfill(machines: list[Machine], sandbox: Sandbox, logs: Path) -> None:
    a, b = machines
    prepared = [machine.start(logs / f"{machine.name}.prepare", "prepare") for machine in machines]
    assert [command.wait(120) for command in prepared] == [0, 0]
    daemon = a.start(logs / "a.dev", "dev", "--port", "0")
    with shared_instance() as instance:
        until("the daemon", 180, lambda: looks_for_orphaned_runs(instance))
        of_a = a.start(logs / "a.pull", "pull", _selection(OF_A), "--from", today(back=DAYS - 1))
        b.start(logs / "b.pull", "pull", _selection(OF_B), "--from", today(back=DAYS - 1))

        def of_b(*statuses: dg.DagsterRunStatus) -> list[dg.DagsterRun]:
            runs = instance.get_runs(dg.RunsFilter(statuses=list(statuses)))
            return [run for run in runs if run.tags.get(PROCESS_TAG, "").startswith("machine-b:")]

        started = dg.DagsterRunStatus.STARTED
        until("runs on machine b", 240, lambda: bool(of_b(started)) and len(sandbox.log.entries()) > 60)
        b.kill()
        doomed = {run.run_id for run in of_b(*NOT_ENDED)}
        assert doomed
        took = until("its runs are failed", 60, lambda: all_failed(instance, doomed))
        _log.info("%d runs of the killed machine failed after %.1f s", len(doomed), took)
        assert took < 30
        for pool in instance.event_log_storage.get_concurrency_keys():
            info = instance.event_log_storage.get_concurrency_info(pool)
            assert not doomed & {slot.run_id for slot in info.claimed_slots}
        assert daemon.poll() is None, (logs / "a.dev").read_text()
        assert of_a.wait(400) == 0, (logs / "a.pull").read_text()

        took = until(
            "every day has landed, and every run has ended", 400, lambda: complete(instance, (*OF_A, *OF_B), DAYS)
        )
        _log.info("every day had landed after %.1f s more", took)
        failed = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE]))
        assert {run.run_id for run in failed} >= doomed
        for run in failed:  # one that had just been created at the kill is not among the doomed
            messages = [record.event_log_entry.message for record in instance.get_records_for_run(run.run_id).records]
            assert any("on machine-b, which worked on this run since" in text for text in messages), messages
    daemon.terminate()
    daemon.wait(30)


def all_failed(instance: dg.DagsterInstance, run_ids: Iterable[str]) -> bool:
    """Whether these runs have failed. Their retries, which inherit their tags, may already be queued."""
    runs = [instance.get_run_by_id(run_id) for run_id in run_ids]
    return all(run is not None and run.status == dg.DagsterRunStatus.FAILURE for run in runs)


def looks_for_orphaned_runs(instance: dg.DagsterInstance) -> bool:
    """Whether a daemon has evaluated the sensor that fails runs of dead machines."""
    sensors = [state for state in instance.all_instigator_state() if state.name == orphaned_runs_sensor.NAME]
    ticks = [tick for each in sensors for tick in instance.get_ticks(each.instigator_origin_id, each.selector_id)]
    return any(tick.status.value == "SKIPPED" for tick in ticks)


def complete(instance: dg.DagsterInstance, tables: Iterable[str], days: int) -> bool:
    """Every day has landed, and every run has ended: catch-up has asked for what failed runs leave open."""
    landed = [instance.get_materialized_partitions(dg.AssetKey(table.split("/"))) for table in tables]
    ended = not instance.get_runs_count(dg.RunsFilter(statuses=NOT_ENDED))
    return ended and all(len(partitions) >= days for partitions in landed)


def _selection(tables: tuple[str, ...]) -> str:
    return " or ".join(f'key:"{table}"' for table in tables)


def compare(
    analytics: institution_analytics.InstitutionAnalytics, reports: channel_reports.ChannelReports, days: int
) -> None:
    """The warehouse has exactly what the vendors have of so many days."""
    warehouse = WarehouseResource().open()
    for name in ("users", "courses"):
        truth = analytics.data_sets[name].truth()
        assert difference(warehouse, f"institution_analytics.{name}", truth) == {}
    seen = Reports(reports)
    for name in REPORTS:
        assert seen.rows(name) == seen.truth(name, rig.days(days - 1))


def test_machines_are_apart(tmp_path: Path) -> None:
    """What the test above stands on."""
    (tmp_path / "project").mkdir()
    machine = Machine("machine-x", tmp_path / "disk", tmp_path / "project", {})
    try:
        assert not (tmp_path / "disk" / "project").exists()
        assert os.uname().nodename != machine.name
    finally:
        machine.kill()
