"""Opening the warehouse: obstacles are waited for, and named if they stay."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pytest

from orgdata_dagster.warehouse.catalog import exists
from orgdata_dagster.warehouse.errors import WarehouseDamaged, WarehouseHeld, WarehouseUnavailable
from orgdata_dagster.warehouse.names import TableName
from orgdata_dagster.warehouse.storage.connection import Warehouse
from orgdata_dagster_tests import warehouses
from orgdata_dagster_tests.warehouse.conftest import Starter
from orgdata_dagster_tests.warehouse.rig import Rig
from orgdata_dagster_tests.warehouse.worker import hold_lock, hold_open


def warehouse_at(path: Path, patience: float = 10) -> Warehouse:
    return Warehouse(str(path), scratch=path.parent / "scratch", patience=patience)


def write(warehouse: Warehouse) -> None:
    with warehouse.writing() as connection:
        write_in(connection)


def write_in(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("CREATE TABLE IF NOT EXISTS t (a INTEGER); INSERT INTO t VALUES (1)")


@warehouses.only_files
def test_a_reader_of_another_program_only_delays_a_writer(rig: Rig, start: Starter) -> None:
    write(rig.warehouse)
    start(hold_open, rig.warehouse.uri, rig.folder / "ready", 0.5)
    start.wait_for(rig.folder / "ready")
    began = time.monotonic()
    write(rig.warehouse)
    assert time.monotonic() - began > 0.3
    assert rig.sql("SELECT count(*) FROM t") == [(2,)]


def test_another_program_that_keeps_the_file_open_is_named(tmp_path: Path, start: Starter) -> None:
    impatient = warehouse_at(tmp_path / "warehouse.duckdb", patience=0.2)
    write(impatient)
    process = start(hold_open, impatient.uri, tmp_path / "ready", 60)
    start.wait_for(tmp_path / "ready")
    with pytest.raises(WarehouseHeld, match=rf"^process {process.pid} \(.+\) holds the warehouse .*warehouse\.duckdb"):
        write(impatient)
    with impatient.reading() as connection:
        assert connection.execute("SELECT count(*) FROM t").fetchall() == [(1,)]


def test_a_warehouse_that_does_not_exist_yet(tmp_path: Path) -> None:
    warehouse = warehouse_at(tmp_path / "deep" / "er" / "warehouse.duckdb")
    assert not warehouse.exists
    with pytest.raises(WarehouseUnavailable, match="There is no warehouse"), warehouse.reading():
        pass
    assert not (tmp_path / "deep").exists()
    write(warehouse)
    assert warehouse.exists


def test_existing_tables_are_read_again_each_time_the_warehouse_is_opened(tmp_path: Path) -> None:
    warehouse, table = warehouse_at(tmp_path / "warehouse.duckdb"), TableName("main", "t")
    with warehouse.scratch_connection() as scratch:
        with warehouse.transaction(scratch) as connection:
            assert not exists(connection, table)
            write_in(connection)
            assert exists(connection, table)
            assert not exists(connection, TableName("main", "u"))
        with duckdb.connect(warehouse.uri) as somebody:
            somebody.execute("DROP TABLE t")
        with warehouse.reading(scratch) as connection:
            assert not exists(connection, table)


def test_a_commit_only_writes_its_own_rows(tmp_path: Path) -> None:
    """A checkpoint once merged the last row group of a commit with those of the next, and wrote all of them again."""
    warehouse = warehouse_at(tmp_path / "warehouse.duckdb")
    for first in (0, 200_000):
        with warehouse.writing() as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS t (id BIGINT)")
            connection.execute(f"INSERT INTO t SELECT range FROM range({first}, {first + 200_000})")
    with warehouse.reading() as connection:
        groups = connection.execute(
            "SELECT sum(count) FROM pragma_storage_info('t') WHERE segment_type = 'BIGINT' "
            "GROUP BY row_group_id ORDER BY 1"
        ).fetchall()
        assert groups == [(15_680,)] * 2 + [(61_440,)] * 6
    with duckdb.connect(warehouse.uri) as somebody:  # who knows nothing of our options
        somebody.execute("INSERT INTO t VALUES (400000)")
        assert somebody.execute("SELECT count(DISTINCT id) FROM t").fetchone() == (400_001,)


def test_a_folder_that_cannot_be_created(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WarehouseUnavailable, match=r"Cannot create .*file.*ORGDATA_WAREHOUSE"):
        write(warehouse_at(tmp_path / "file" / "warehouse.duckdb"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_not_writable(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir(mode=0o555)
    with pytest.raises(WarehouseUnavailable, match="not writable"):
        write(warehouse_at(tmp_path / "theirs" / "warehouse.duckdb"))


def test_a_permanent_error_is_not_waited_for(tmp_path: Path) -> None:
    """The folder's name contains the word by which a lock is distinguished from other errors."""
    path = tmp_path / "locked" / "warehouse.duckdb"
    path.parent.mkdir()
    path.write_bytes(b"no database" * 1000)
    began = time.monotonic()
    with pytest.raises(WarehouseDamaged, match="is not a DuckDB database"):
        write(warehouse_at(path, patience=30))
    assert time.monotonic() - began < 5


def test_a_reader_cannot_write(rig: Rig) -> None:
    write(rig.warehouse)
    with rig.warehouse.reading() as connection, pytest.raises(duckdb.Error, match="read-only"):
        connection.execute("INSERT INTO t VALUES (2)")


def test_an_error_in_the_block_releases_everything(rig: Rig) -> None:
    with pytest.raises(ZeroDivisionError), rig.warehouse.writing():
        raise ZeroDivisionError
    write(rig.warehouse)


def test_a_query_returns_a_data_frame_in_utc(rig: Rig) -> None:
    write(rig.warehouse)
    frame = rig.warehouse.query("SELECT a, TIMESTAMPTZ '2026-03-01 12:00:00+02' AS moment FROM t WHERE a = ?", [1])
    assert frame["a"].tolist() == [1]
    assert frame["moment"].iloc[0].isoformat() == "2026-03-01T10:00:00+00:00"


def test_the_lock_names_its_writer_and_ends_with_it(rig: Rig, start: Starter) -> None:
    assert rig.warehouse.storage.writer() == ""
    process = start(hold_lock, rig.warehouse, rig.folder / "ready")
    start.wait_for(rig.folder / "ready")
    assert f"process {process.pid} (" in rig.warehouse.storage.writer()
    process.kill()
    process.join(10)
    assert rig.warehouse.storage.writer() == ""
    write(rig.warehouse)


@warehouses.only_files
@pytest.mark.parametrize("foreign", [True, False])
def test_a_waiting_process_soon_names_the_process_that_it_waits_for(
    rig: Rig, start: Starter, tmp_path: Path, foreign: bool
) -> None:
    """With the real time limits, for another program and for a process that holds orgdata's lock."""
    write(rig.warehouse)
    ready = tmp_path / "is-ready"
    process = start(hold_open, rig.warehouse.uri, ready, 60) if foreign else start(hold_lock, rig.warehouse, ready)
    start.wait_for(ready)
    messages: list[tuple[float, str]] = []
    began = time.monotonic()

    def note(what: str) -> None:
        messages.append((time.monotonic() - began, what))
        process.kill()

    rig.warehouse.notify = note
    write(rig.warehouse)
    [(seconds, what)] = messages
    assert seconds < 20  # 2 on a machine that is not busy; the other process would stay for a minute
    assert f"process {process.pid} (" in what
    assert rig.warehouse.uri in what


def test_a_warehouse_that_could_not_be_detached_is_attached_again(tmp_path: Path) -> None:
    warehouse = Warehouse(str(tmp_path / "warehouse.duckdb"), scratch=tmp_path)
    with warehouse.scratch_connection() as scratch:
        with warehouse.transaction(scratch) as connection:
            connection.execute("CREATE TABLE t AS SELECT 1 AS x")
        scratch.execute(f"ATTACH '{warehouse.uri}' AS warehouse; USE warehouse")
        with warehouse.reading(scratch) as connection:
            assert connection.execute("FROM t").fetchall() == [(1,)]


def test_a_thread_that_reads_the_catalog_at_the_same_time_is_no_obstacle(tmp_path: Path) -> None:
    """A pull failed after 17 of 26 days: the file was "already attached" while another thread read the catalog."""
    warehouse = warehouse_at(tmp_path / "warehouse.duckdb")
    with warehouse.scratch_connection() as scratch, ThreadPoolExecutor(3) as pool:
        over = threading.Event()

        def ask() -> None:
            cursor = scratch.cursor()
            while not over.is_set():
                cursor.execute("SELECT count(*) FROM information_schema.tables").fetchall()

        def commit() -> None:
            cursor = scratch.cursor()
            for _ in range(15):
                with warehouse.transaction(cursor) as connection:
                    connection.execute("CREATE TABLE IF NOT EXISTS t (a INTEGER); INSERT INTO t VALUES (1)")

        asking = pool.submit(ask)
        try:
            for done in [pool.submit(commit) for _ in range(2)]:
                done.result()
        finally:
            over.set()
        asking.result()
    with warehouse.reading() as connection:
        assert connection.execute("SELECT count(*) FROM t").fetchone() == (30,)
