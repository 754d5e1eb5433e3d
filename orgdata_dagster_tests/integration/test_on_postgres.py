"""Dagster's storage and the shared state on PostgreSQL: two homes that share only these and a warehouse."""

from __future__ import annotations

import multiprocessing
import os
from collections import Counter
from multiprocessing.synchronize import Barrier
from pathlib import Path

import dagster as dg
import pytest
import yaml

from orgdata_dagster.cli import loaded_project
from orgdata_dagster.orchestration.instance.pools import apply_limits
from orgdata_dagster.orchestration.instance.setup import shared_instance
from orgdata_dagster.sandbox.environment import environment
from orgdata_dagster.sandbox.limits import UNLIMITED
from orgdata_dagster.sandbox.octolis import Octolis
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.integration.project import today
from orgdata_dagster_tests.integration.truth import difference
from orgdata_dagster_tests.postgres import PASSWORD, Server
from orgdata_dagster_tests.vendors.octolis.sync.rig import COLUMNS, CONTACTS, SYNC, Counting

VENDOR = "institution_analytics"
ROUNDS = 10


def two_homes(new_home: Home, postgres: Server, tmp_path: Path) -> tuple[Path, Path]:
    """Put Dagster's storage and the state on PostgreSQL, and name two homes that use them and one warehouse."""
    new_home.store_on_postgres(postgres.url(postgres.new_database()))
    new_home.set(
        ORGDATA_STATE=postgres.url(postgres.new_database()),
        ORGDATA_WAREHOUSE=str(tmp_path / "shared.duckdb"),
    )
    return tmp_path / "one", tmp_path / "other"


@pytest.mark.growth
def test_two_machines_start_at_once_on_an_empty_database(
    new_home: Home, sandbox: Sandbox, postgres: Server, tmp_path: Path
) -> None:
    homes, tables = two_homes(new_home, postgres, tmp_path), ("users", "courses")
    started = []
    for home, table in zip(homes, tables, strict=True):
        new_home.set(ORGDATA_HOME=str(home))
        started.append(new_home.start("pull", f"{VENDOR}/{table}", "--from", today(back=5)))
    for done in [command.wait() for command in started]:
        assert done.status == 0, done.everything
    for table in tables:
        truth = sandbox.institution_analytics.data_sets[table].truth()
        assert difference(new_home.warehouse, f"{VENDOR}.{table}", truth) == {}
    with new_home.instance() as instance:
        assert type(instance.event_log_storage).__name__ == "PostgresEventLogStorage"
        runs = instance.get_runs()
        assert [run.status for run in runs] == [dg.DagsterRunStatus.SUCCESS] * 2
        for table in tables:
            assert len(instance.get_materialized_partitions(dg.AssetKey([VENDOR, table]))) == 6
        info = instance.event_log_storage.get_concurrency_info(f"{VENDOR}_api")
        assert (info.slot_count, list(info.claimed_slots)) == (2, [])
    doctor = new_home.orgdata("doctor")
    assert "ok    state: PostgreSQL" in doctor.out, doctor.everything
    assert "the process of every run is alive" in doctor.out, doctor.everything
    for home in homes:
        assert [path for path in home.rglob("*") if path.is_file() and PASSWORD.encode() in path.read_bytes()] == []
    assert PASSWORD not in doctor.everything


def set_pools(home: Path, barrier: Barrier) -> None:
    os.environ["ORGDATA_HOME"] = str(home)
    resources = loaded_project.load().resources
    barrier.wait(60)
    with shared_instance() as instance:
        for _ in range(ROUNDS):
            barrier.wait(60)
            apply_limits(instance, resources)
            if barrier.wait(60) == 0:  # only one of them, because Dagster cannot delete a pool twice at once
                instance.event_log_storage.delete_concurrency_limit(f"{VENDOR}_api")


@pytest.mark.growth
def test_storage_and_pools_are_created_once(new_home: Home, postgres: Server, tmp_path: Path) -> None:
    """Several machines see that they do not exist, and create them in the same moment."""
    two_homes(new_home, postgres, tmp_path)
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(4)
    started = [context.Process(target=set_pools, args=(tmp_path / f"{number}", barrier)) for number in range(4)]
    for process in started:
        process.start()
    for process in started:
        process.join(120)
    assert [process.exitcode for process in started] == [0] * 4


@pytest.mark.growth
def test_a_sync_that_starts_on_both_sends_each_row_once(new_home: Home, postgres: Server, tmp_path: Path) -> None:
    people = Counting("people", COLUMNS, (("email",),))
    limits = {"points_per_second": 25, "points_per_minute": 1500, "account_points_per_minute": 2000}
    attributes = {**SYNC, "batch_size": 10, "limits": limits}
    new_home.write_project(octolis=yaml.safe_dump({"type": "orgdata_dagster.OctolisSync", "attributes": attributes}))
    homes = two_homes(new_home, postgres, tmp_path)
    with new_home.warehouse.writing() as connection:
        connection.execute(CONTACTS.format(rows=300))
    with Sandbox(Octolis([people], limits=UNLIMITED)) as sandbox:
        new_home.set(**environment(sandbox.url))
        started = []
        for home in homes:
            new_home.set(ORGDATA_HOME=str(home))
            started.append(new_home.start("sync", "out"))
        for done in [command.wait(120) for command in started]:
            assert done.status == 0, done.everything
        assert len(people.truth()) == 300
        assert set(people.versions.values()) == {1}
        assert Counter(entry.status for entry in sandbox.log.entries())[429] == 0
