"""Commits from several processes at the same time, and from processes that are killed."""

import random
import time

from orgdata_dagster_tests.processes import PROCESSES
from orgdata_dagster_tests.warehouse.conftest import Starter
from orgdata_dagster_tests.warehouse.rig import Rig
from orgdata_dagster_tests.warehouse.worker import (
    commit_days,
    commit_for_ever,
    commit_rounds,
    read_until,
    with_rig,
)
from orgdata_dagster_tests.warehouses import fewer_on_a_lake

KILLS = fewer_on_a_lake(12)
PATIENCE = 240  # seconds; a lake on a busy machine takes a hundred times as long as a file


def test_a_killed_commit_leaves_either_the_old_or_the_new_partition(rig: Rig, start: Starter) -> None:
    """Rows, load record and coverage must belong to the same commit, whenever the process is killed."""
    moment, runs = random.Random(1), set()
    for number in range(KILLS):
        folder, ready = rig.folder / f"killed{number}", rig.folder / f"ready{number}"
        process = start(with_rig, commit_for_ever, rig.location, folder, ready)
        start.wait_for(ready)
        time.sleep(moment.random() * 0.15)
        process.kill()
        process.join(10)
        ((versions, count, distinct, *run),) = rig.sql(
            "SELECT list(DISTINCT v), count(*), count(DISTINCT n), list(DISTINCT _orgdata_run_id) FROM acme.items"
        )
        assert (versions, count, distinct) in [(["a"], 700, 700), (["b"], 1100, 1100)]
        assert rig.sql("SELECT list(run_id) FROM _orgdata.coverage") == [tuple(run)]
        ((last, rows),) = rig.sql("SELECT run_id, row_count FROM _orgdata.loads ORDER BY loaded_at DESC LIMIT 1")
        assert ([last], rows) == (*run, count)
        runs.add(last)
    assert len(runs) == KILLS


def test_two_processes_can_commit_the_same_partition_at_the_same_time(rig: Rig, start: Starter) -> None:
    """DuckDB would commit two transactions that both insert and delete nothing: only one may run at a time."""
    barrier, rounds = PROCESSES.Barrier(2), 8
    both = [start(with_rig, commit_rounds, rig.location, rig.folder / name, barrier, rounds) for name in ("x", "y")]
    for process in both:
        process.join(PATIENCE)
    assert [process.exitcode for process in both] == [0, 0]
    assert rig.sql("SELECT count(*), count(DISTINCT who) FROM acme.items") == [(20, 1)]
    assert rig.sql("SELECT count(*), sum(row_count) FROM _orgdata.loads") == [(2 * rounds, 2 * rounds * 20)]


def test_writers_and_a_reader_do_not_disturb_each_other(rig: Rig, start: Starter) -> None:
    writers, days = 4, fewer_on_a_lake(12)
    rig.land("who\n" + "first\n" * 10)
    stop, reads = rig.folder / "stop", rig.folder / "reads"
    reader = start(read_until, rig.location, rig.folder / "reader", stop, reads)
    crowd = [start(with_rig, commit_days, rig.location, rig.folder / f"w{at}", days) for at in range(writers)]
    for process in crowd:
        process.join(PATIENCE)
    stop.touch()
    reader.join(PATIENCE)
    assert [process.exitcode for process in [*crowd, reader]] == [0] * (writers + 1)
    assert int(reads.read_text()) > 3
    assert rig.sql("SELECT count(DISTINCT _orgdata_partition) FROM acme.items") == [(writers * days + 1,)]
    assert rig.sql("SELECT count(*) FROM _orgdata.loads") == [(writers * days + 1,)]
