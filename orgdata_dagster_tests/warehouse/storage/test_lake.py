"""A lake has the same guarantees as a file. Uses real catalogs in SQLite and PostgreSQL.

All tests of the warehouse also run with lakes in `make test-growth`; here are the cases that break most easily.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from orgdata_dagster.warehouse.errors import Refused, WarehouseError, WarehouseHeld, WarehouseUnavailable
from orgdata_dagster.warehouse.storage import connection as connections
from orgdata_dagster.warehouse.storage import instances
from orgdata_dagster.warehouse.storage import lake as lakes
from orgdata_dagster.warehouse.storage.connection import Warehouse
from orgdata_dagster.warehouse.storage.maintenance import maintain
from orgdata_dagster_tests import warehouses
from orgdata_dagster_tests.postgres import PASSWORD, Server
from orgdata_dagster_tests.warehouse.conftest import Starter
from orgdata_dagster_tests.warehouse.rig import ITEMS, NOON, Rig
from orgdata_dagster_tests.warehouse.worker import commit_days, commit_for_ever, hold_lock, with_rig

KEYED = replace(ITEMS, key=("id",), write_disposition="merge", description="Items.")


@pytest.fixture(params=warehouses.LAKES)
def lake(request: pytest.FixtureRequest, tmp_path: Path, scratch: duckdb.DuckDBPyConnection) -> Rig:
    warehouses.need_lakes()
    if request.param == warehouses.POSTGRES:
        request.getfixturevalue("postgres")
    return Rig(tmp_path, scratch, warehouses.location(tmp_path, request.param))


@pytest.fixture
def on_postgres(tmp_path: Path, scratch: duckdb.DuckDBPyConnection, postgres: Server) -> Rig:
    warehouses.need_lakes()
    assert postgres.port
    return Rig(tmp_path, scratch, warehouses.location(tmp_path, warehouses.POSTGRES))


def test_the_first_writer_creates_the_lake(lake: Rig) -> None:
    assert not lake.warehouse.exists
    with pytest.raises(WarehouseUnavailable, match=r"There is no warehouse at ducklake:.* yet"):
        lake.warehouse.query("SELECT 1")
    assert not lake.warehouse.exists
    lake.land("id,v\n1,a\n")
    assert lake.warehouse.exists
    assert lake.texts() == [("1", "a")]
    assert lake.warehouse.query("SELECT count(*) AS n FROM acme.items")["n"].tolist() == [1]


def test_rows_columns_views_and_comments(lake: Rig) -> None:
    """Replace, merge, a wider type, a declared type with a variant column; all of it can be read afterwards."""
    target = replace(KEYED, column_descriptions={"v": "A value."})
    lake.land("id,v,w\n1,10,x\n2,20,y\n", target=target)
    lake.land("id,v,w,new\n2,2.5,y,1\n3,n/a,z,\n", target=target)
    assert lake.texts("id", target) == [("1", "10", "x", None), ("2", "2.5", "y", "1"), ("3", "n/a", "z", None)]
    lake.land("id,v,w,new\n4,7,z,2\n", target=target, declared={"v": "BIGINT"})
    assert lake.types(target) == {
        "id": "BIGINT",
        "v": "BIGINT",
        "w": "VARCHAR",
        "new": "BIGINT",
        "v__v_text": "VARCHAR",
    }
    assert lake.sql("SELECT id, v, v__v_text FROM acme.items_current ORDER BY id") == [
        (1, 10, None), (2, None, "2.5"), (3, None, "n/a"), (4, 7, None),
    ]  # fmt: skip
    comments = "SELECT comment FROM duckdb_columns() WHERE table_name = 'items' AND column_name = 'v' AND "
    assert lake.sql(f"{comments} database_name = current_database()") == [("A value.",)]


def test_a_partition_is_replaced_and_unsupported_types_are_refused(lake: Rig) -> None:
    lake.land('id,list\n1,"[""a"",""\x00""]"\n2,\n')
    lake.land("id,list\n3,x\n")
    assert lake.texts() == [("3", "x")]
    for kind in ("HUGEINT", "TIME WITH TIME ZONE", "INTERVAL"):
        with pytest.raises(Refused, match=f"acme.items: `columns`: 'id' is declared {kind}, which a lake cannot hold"):
            lake.land("id\n1\n", declared={"id": kind})
    assert lake.texts() == [("3", "x")]


def test_a_killed_writer_leaves_a_complete_partition_and_blocks_nobody(lake: Rig, start: Starter) -> None:
    ready = lake.folder / "ready"
    process = start(with_rig, commit_for_ever, lake.location, lake.folder / "w", ready)
    start.wait_for(ready)
    time.sleep(0.1)
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join(10)
    [(count, versions)] = lake.sql("SELECT count(*), count(DISTINCT v) FROM acme.items")
    assert (count in (700, 1100), versions) == (True, 1)
    lake.land("v,n\nmine,1\n", partition="other")
    assert lake.sql("SELECT count(*) FROM acme.items") == [(count + 1,)]


@pytest.mark.growth
def test_two_processes_write_at_the_same_time_without_losing_rows(lake: Rig, start: Starter) -> None:
    """They also create the lake and its tables at the same time."""
    days = 2
    crowd = [start(with_rig, commit_days, lake.location, lake.folder / f"w{at}", days) for at in range(2)]
    for process in crowd:
        process.join(60)
        assert process.exitcode == 0
    found = lake.sql("SELECT _orgdata_partition, count(*) FROM acme.items GROUP BY ALL ORDER BY ALL")
    assert found == [(f"w{at}-{day}", 10) for at in range(2) for day in range(days)]


def test_a_waiting_process_names_the_writer(lake: Rig, start: Starter) -> None:
    lake.land("id\n1\n")
    process = start(hold_lock, lake.warehouse, lake.folder / "holds")
    start.wait_for(lake.folder / "holds")
    assert f"process {process.pid} (" in lake.warehouse.storage.writer()
    lake.warehouse.queue_patience = 0.3
    with pytest.raises(WarehouseHeld, match=rf"process {process.pid} \(.*\) has held the warehouse ducklake:"):
        lake.land("id\n2\n")


def test_readers_on_postgres_do_not_wait_and_see_a_consistent_state(on_postgres: Rig, start: Starter) -> None:
    on_postgres.land("id\n1\n")
    count = "SELECT count(*) FROM acme.items"
    with on_postgres.warehouse.reading() as connection:
        assert connection.execute(count).fetchone() == (1,)
        writing = threading.Thread(target=lambda: _with_own(on_postgres, lambda rig: rig.land("id\n2\n3\n")))
        writing.start()
        writing.join(60)
        assert connection.execute(count).fetchone() == (1,), "a reader sees the state in which it began"
    start(hold_lock, on_postgres.warehouse, on_postgres.folder / "holds")
    start.wait_for(on_postgres.folder / "holds")
    assert on_postgres.sql(count) == [(2,)]


def _with_own(rig: Rig, work: Callable[[Rig], object]) -> None:
    with Warehouse("", scratch=rig.folder / "other").scratch_connection() as connection:
        work(Rig(rig.folder, connection, rig.location))


def test_a_writer_that_lost_its_lock_commits_nothing(on_postgres: Rig, postgres: Server) -> None:
    on_postgres.land("id\n1\n")
    holders = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND database = "

    def lose(*_: object) -> None:
        name = _database(on_postgres)
        assert postgres.sql(f"{holders} (SELECT oid FROM pg_database WHERE datname = '{name}')") == [["t"]]

    on_postgres.warehouse.patience = 0
    with pytest.raises(WarehouseUnavailable, match="held the warehouse's lock was lost"):
        on_postgres.land("id\n2\n", target=replace(ITEMS, afterwards=lose))
    assert on_postgres.texts() == [("1",)]


def test_a_commit_waits_for_a_server_that_restarts(
    on_postgres: Rig, postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It used to fail, and everything that the run had fetched was lost. Here the first commit is interrupted, too."""
    monkeypatch.setattr(connections, "_RECONNECTING", 0.01)
    database = _database(on_postgres)
    outages = iter([True, False, True])

    def restart(*_: object) -> None:
        if next(outages, False):
            sessions = f"FROM pg_stat_activity WHERE datname = '{database}'"
            postgres.sql(
                f"ALTER DATABASE {database} ALLOW_CONNECTIONS false; SELECT pg_terminate_backend(pid) {sessions}"
            )
            threading.Timer(0.3, lambda: postgres.sql(f"ALTER DATABASE {database} ALLOW_CONNECTIONS true")).start()

    said = list[str]()
    on_postgres.warehouse.notify = said.append
    for value in ("1", "2"):
        on_postgres.land(f"id\n{value}\n", target=replace(ITEMS, afterwards=restart))
        assert on_postgres.texts() == [(value,)]
    assert said
    assert all(text.startswith("trying again: The connection to ") or "Cannot connect" in text for text in said), said


def test_a_writer_without_the_lock_cannot_commit_beside_another_one(
    on_postgres: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its machine was suspended after it had made sure of the lock. DuckLake itself would let both of them commit."""
    monkeypatch.setattr(on_postgres.warehouse.storage, "locked", lambda **_: nullcontext(lambda: None))
    on_postgres.land("id\n1\n", partition="other")

    def meanwhile(*_: object) -> None:
        _with_own(on_postgres, lambda rig: rig.land("id\n2\n"))

    with pytest.raises(WarehouseUnavailable, match=r"Another writer .* Nothing was committed"):
        on_postgres.land("id\n3\n", target=replace(ITEMS, afterwards=meanwhile))
    assert on_postgres.texts() == [("1",), ("2",)]


def _database(rig: Rig) -> str:
    return next(word for word in rig.location.split() if word.startswith("dbname=")).removeprefix("dbname=")


def test_the_password_appears_nowhere(on_postgres: Rig, postgres: Server, tmp_path: Path) -> None:
    assert PASSWORD in on_postgres.location
    on_postgres.land("id\n1\n")
    assert PASSWORD not in on_postgres.warehouse.uri
    listed = "SELECT string_agg(d::VARCHAR, '') || (SELECT string_agg(s::VARCHAR, '') FROM duckdb_secrets() AS s) "
    with on_postgres.warehouse.reading() as connection:
        assert PASSWORD not in str(connection.execute(f"{listed} FROM duckdb_databases() AS d").fetchall())
    wrong = [
        on_postgres.location.replace(f"port={postgres.port}", "port=1"),
        on_postgres.location.replace("user=orgdata", "user=nobody"),
        on_postgres.location.replace(f"dbname={_database(on_postgres)}", "dbname=none"),
        on_postgres.location.replace(f"={tmp_path}/lake", f"={tmp_path}/elsewhere"),
        f"ducklake:postgres:{postgres.url(postgres.new_database())}",
    ]
    for location in wrong:
        with pytest.raises(WarehouseError) as caught, Warehouse(location, scratch=tmp_path).writing():
            pass
        assert PASSWORD not in str(caught.value)
        assert "ORGDATA_WAREHOUSE" in str(caught.value)


@pytest.mark.growth
def test_the_password_can_come_from_the_environment(
    on_postgres: Rig, postgres: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_postgres.land("id\n1\n")
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    location = f"ducklake:postgres:{postgres.keywords(_database(on_postgres), password=False)}"
    with Warehouse(location, scratch=tmp_path).reading() as connection:
        assert connection.execute("SELECT count(*) FROM acme.items").fetchone() == (1,)
    (tmp_path / "services").write_text(
        f"[lake]\nhost=127.0.0.1\nport={postgres.port}\nuser=orgdata\ndbname={_database(on_postgres)}\n"
    )
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    monkeypatch.setenv("PGSERVICE", "lake")
    with Warehouse("ducklake:postgres:", scratch=tmp_path).reading() as connection:
        assert connection.execute("SELECT count(*) FROM acme.items").fetchone() == (1,)


@pytest.mark.growth
def test_maintenance_merges_files_and_deletes_old_snapshots(lake: Rig) -> None:
    for number in range(3):
        lake.land(f"id\n{number}\n", partition=f"day-{number}")
        lake.land(f"id\n{number}\n")
    files = len(list((lake.folder / "lake").rglob("*.parquet")))
    hence = datetime.now(UTC) + timedelta(hours=1)
    kept = maintain(lake.warehouse, snapshots_before=NOON, files_before=NOON)
    assert (kept.snapshots, kept.deleted) == (0, 0)
    done = maintain(lake.warehouse, snapshots_before=hence, files_before=hence)
    assert (kept.merged > 4, done.snapshots > 6, done.deleted > 4) == (True, True, True)
    left = len(list((lake.folder / "lake").rglob("*.parquet")))
    assert done.files <= left < files / 2
    assert len(lake.texts()) == 4
    lake.land("id\n9\n")
    assert len(lake.texts()) == 4


def test_small_files_are_merged_regularly_so_that_commits_stay_fast(lake: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lakes, "MERGE_EVERY", 4)
    for number in range(6):
        lake.land(f"id\n{number}\n", partition=f"day-{number}")
    counts = dict(lake.sql("SELECT table_name, file_count FROM ducklake_table_info('looked_at') WHERE file_count > 0"))
    assert (counts["items"], counts["loads"]) == (3, 3), counts  # one of the first four, and two since
    assert lake.sql("SELECT _orgdata_partition, id FROM acme.items ORDER BY ALL") == [
        (f"day-{number}", number) for number in range(6)
    ]
    assert lake.sql("SELECT count(*) FROM acme.items AT (VERSION => 2)") == [(2,)]


def test_an_instance_with_an_internal_error_is_not_used_again(lake: Rig) -> None:
    """After an internal error, DuckDB refuses everything in all connections of the instance."""
    lake.land("id\n1\n")
    before = len(instances.idle())
    with (
        pytest.raises(
            WarehouseUnavailable, match=r"DuckDB had an internal error while working on ducklake:.* Run this again"
        ),
        lake.warehouse.writing() as connection,
    ):
        connection.execute("CREATE TABLE acme.t AS SELECT CAST('10:00:00' AS TIME_NS) AS at")
    assert len(instances.idle()) == max(before - 1, 0)
    assert lake.warehouse.query("SELECT id FROM acme.items")["id"].tolist() == [1]


_IMPORTED = """
import sys
from pathlib import Path
from orgdata_dagster.warehouse.storage.connection import Warehouse
with Warehouse(sys.argv[1], scratch=Path(sys.argv[2])).writing() as connection:
    loaded = "SELECT extension_name FROM duckdb_extensions() WHERE loaded AND install_path <> '(BUILT-IN)'"
    modules = [name for name in sys.modules if name.startswith(("psycopg", "duckdb_extension"))]
    print(connection.execute(loaded).fetchall(), modules)
"""


def test_a_plain_file_does_not_load_or_import_parts_of_a_lake(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _IMPORTED, str(tmp_path / "w.duckdb"), str(tmp_path)]
    assert subprocess.run(command, capture_output=True, text=True, check=False).stdout.split() == ["[]", "[]"]


@pytest.mark.growth
def test_a_load_that_fails_at_its_commit_is_reported_and_the_next_one_succeeds(
    on_postgres: Rig, postgres: Server
) -> None:
    """After a failed COMMIT of a lake, the ROLLBACK fails too."""
    on_postgres.land("id\n1\n")
    backends = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name NOT LIKE 'orgdata on %'"

    def cut(*_: object) -> None:
        assert postgres.sql(f"{backends} AND datname = '{_database(on_postgres)}'")

    on_postgres.warehouse.patience = 0
    with pytest.raises(WarehouseUnavailable, match=r"connection to the warehouse's catalog .* was lost"):
        on_postgres.land("id\n2\n", target=replace(ITEMS, afterwards=cut))
    assert on_postgres.texts() == [("1",)]
    on_postgres.land("id\n3\n")
    assert on_postgres.texts() == [("3",)]
