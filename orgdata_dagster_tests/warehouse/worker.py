"""Functions that other processes run against a warehouse during a test.

Here: functions that run in their own process, started from a server that has imported this module but never opened a
database. Forking a process that has opened one would be unsafe, and starting Python anew would take a second each time.
Add here when: another process is needed. Keep out: assertions about the result.
"""

import itertools
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from multiprocessing.synchronize import Barrier
from pathlib import Path

import duckdb

from orgdata_dagster.warehouse.commit.target import PartitionLoad
from orgdata_dagster.warehouse.commit.transaction import commit
from orgdata_dagster.warehouse.ledger.intervals import Interval
from orgdata_dagster.warehouse.storage.connection import Warehouse
from orgdata_dagster.warehouse.storage.scratch import owned_folder, process_folder
from orgdata_dagster_tests.warehouse.rig import DAY, ITEMS, NOON, Rig


def with_rig(work: Callable[..., None], uri: str, folder: Path, *args: object) -> None:
    """Run `work(rig, ...)` with a rig of its own at the shared warehouse."""
    folder.mkdir()
    with Warehouse(uri, scratch=folder / "scratch").scratch_connection() as connection:
        rig = Rig(folder, connection, uri)
        rig.warehouse.patience = 30
        work(rig, *args)


def _while_tested() -> Iterator[int]:
    """0, 1, 2, ... until the test is gone: a run that is interrupted leaves no process behind."""
    tests = multiprocessing.parent_process()
    assert tests is not None
    return itertools.takewhile(lambda _: tests.is_alive(), itertools.count())


def commit_for_ever(rig: Rig, ready: Path) -> None:
    """Replace one partition by one of two versions, of 700 and 1,100 rows, as fast as possible."""
    stages = [rig.stage("v,n\n" + "".join(f"{v},{n}\n" for n in range(rows))) for v, rows in (("a", 700), ("b", 1100))]
    for number in _while_tested():
        load = PartitionLoad(DAY, NOON, coverage=(Interval(NOON, NOON, "whole"),), pages=number)
        commit(rig.warehouse, ITEMS, stages[number % 2], [load], run_id=f"{rig.folder.name}-{number}")
        ready.touch()


def commit_rounds(rig: Rig, barrier: Barrier, rounds: int) -> None:
    """Replace one partition at the same time as the others, again and again."""
    stage = rig.stage("who\n" + f"{rig.folder.name}\n" * 20)
    for _ in range(rounds):
        barrier.wait(30)
        commit(rig.warehouse, ITEMS, stage, [PartitionLoad(DAY, NOON)], run_id=rig.folder.name)


def commit_days(rig: Rig, days: int) -> None:
    """Replace one's own partitions, one after the other."""
    for day in range(days):
        partition = f"{rig.folder.name}-{day}"
        stage = rig.stage("who\n" + f"{rig.folder.name}\n" * 10, partition=partition)
        commit(rig.warehouse, ITEMS, stage, [PartitionLoad(partition, NOON)], run_id=rig.folder.name)


def read_until(uri: str, folder: Path, stop: Path, reads: Path) -> None:
    """Read in a loop; fails on any error and on any partition that is not whole. `reads` gets their number."""
    warehouse = Warehouse(uri, scratch=folder, patience=30)
    for number in _while_tested():
        with warehouse.reading() as connection:
            counts = connection.execute("SELECT count(*) FROM acme.items GROUP BY _orgdata_partition").fetchall()
        assert {count for (count,) in counts} <= {10}
        time.sleep(0.05)
        if stop.exists():
            reads.write_text(str(number + 1))
            return


def hold_open(path: str, ready: Path, seconds: float) -> None:
    """A foreign reader that knows nothing of our lock, such as a notebook."""
    with duckdb.connect(path, read_only=True):
        ready.touch()
        time.sleep(seconds)


def spill(uri: str, scratch: Path, barrier: Barrier) -> None:
    """Sort far more rows than the memory holds, at the same time as others, and check that none is foreign or lost."""
    warehouse = Warehouse(uri, scratch=scratch, memory="20MB")
    rows, own = 400_000, f"process {os.getpid()}"
    with warehouse.scratch_connection() as connection:
        barrier.wait(30)
        connection.execute(
            f"CREATE TEMP TABLE t AS SELECT '{own}' AS owner, hash(n) AS h, n FROM range({rows}) AS r(n) ORDER BY h"
        )
        assert connection.execute("SELECT sum(temporary_storage_bytes) > 0 FROM duckdb_memory()").fetchone() == (True,)
        found = connection.execute("SELECT list(DISTINCT owner), count(*), sum(n), bool_and(hash(n) = h) FROM t")
        assert found.fetchone() == ([own], rows, rows * (rows - 1) // 2, True)


def own_a_folder(parent: Path, ready: Path) -> None:
    """Make a folder of a run and one of the process, say so, and go on for ever."""
    with owned_folder(parent) as folder:
        (folder / "page.csv").touch()
        (process_folder(parent) / "spilled").touch()
        ready.touch()
        time.sleep(60)


def hold_lock(warehouse: Warehouse, ready: Path) -> None:
    with warehouse.writing():
        ready.touch()
        time.sleep(60)
