"""Temporary folders are deleted with their processes, and processes that spill at the same time do not interfere."""

import os
from pathlib import Path

from orgdata_dagster.warehouse.storage.connection import Warehouse
from orgdata_dagster.warehouse.storage.scratch import owned_folder, process_folder
from orgdata_dagster_tests.processes import PROCESSES
from orgdata_dagster_tests.warehouse.conftest import Starter
from orgdata_dagster_tests.warehouse.worker import own_a_folder, spill


def folders(parent: Path) -> set[str]:
    return {path.name for path in parent.glob("*/")}


def test_processes_that_spill_at_the_same_time_do_not_interfere(tmp_path: Path, start: Starter) -> None:
    """A shared folder once made them crash, because DuckDB uses the same file names in every process."""
    barrier = PROCESSES.Barrier(3)
    crowd = [start(spill, str(tmp_path / "warehouse.duckdb"), tmp_path, barrier) for _ in range(3)]
    for process in crowd:
        process.join(60)
    assert [process.exitcode for process in crowd] == [0, 0, 0]


def test_instances_of_one_process_spill_into_different_folders(tmp_path: Path) -> None:
    warehouse = Warehouse(str(tmp_path / "warehouse.duckdb"), scratch=tmp_path, memory="20MB")
    with warehouse.scratch_connection() as one, warehouse.scratch_connection() as other:
        for connection, factor in ((one, 1), (other, 2)):
            connection.execute(f"CREATE TEMP TABLE t AS SELECT n * {factor} AS n FROM range(6000000) AS r(n)")
        spilled = list(process_folder(tmp_path / "spill").glob("*/"))
        assert len(spilled) == 2
        assert all(any(folder.iterdir()) for folder in spilled)
        for connection, factor in ((one, 1), (other, 2)):
            found = connection.execute("SELECT count(*), sum(n) FROM t").fetchone()
            assert found == (6_000_000, factor * 6_000_000 * 5_999_999 // 2)
    assert not list(process_folder(tmp_path / "spill").glob("*/"))


def test_folders_of_ended_processes_are_deleted_and_others_stay(tmp_path: Path, start: Starter) -> None:
    ready = tmp_path / "ready"
    process = start(own_a_folder, tmp_path, ready)
    start.wait_for(ready)
    for prefix in ("run-", "process-"):
        (tmp_path / f"{prefix}nameless").mkdir()  # its owner was killed before it had the lock
        (tmp_path / f"{prefix}nameless" / "new").touch()
    (tmp_path / "foreign").mkdir()
    with owned_folder(tmp_path) as mine:
        left = folders(tmp_path) - {mine.name, "foreign", "process-nameless"}
        assert {name.split("-")[0] for name in left} == {"run", "process"}
        assert len(left) == 2
    process.kill()
    process.join(10)
    with owned_folder(tmp_path) as mine, owned_folder(tmp_path, "process-") as other:
        assert folders(tmp_path) == {mine.name, other.name, "foreign"}
    assert folders(tmp_path) == {"foreign"}


def test_a_process_keeps_its_folder_until_it_ends(tmp_path: Path, start: Starter) -> None:
    mine = process_folder(tmp_path)
    assert process_folder(tmp_path) == mine
    worker = start(process_folder, tmp_path)
    worker.join(30)
    assert worker.exitcode == 0
    assert folders(tmp_path) == {mine.name}
    (mine / "in-use").unlink()
    os.rmdir(mine)  # somebody cleaned up
    assert process_folder(tmp_path).exists()
