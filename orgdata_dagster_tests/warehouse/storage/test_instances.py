"""A used DuckDB instance is as good as a new one, or it is closed."""

from contextlib import AbstractContextManager
from pathlib import Path

import duckdb
import pytest

from orgdata_dagster.warehouse.storage import instances

KNOWN = (
    "SELECT (SELECT list(database_name ORDER BY 1) FROM duckdb_databases() WHERE NOT internal), "
    "(SELECT count(*) FROM duckdb_tables()), current_setting('preserve_insertion_order'), current_setting('TimeZone'), "
    "current_setting('memory_limit'), current_setting('threads')"
)
EMPTY = (["memory"], 0, False, "UTC", "95.3 MiB", 2)


@pytest.fixture(autouse=True)
def nobody_elses() -> None:
    instances.idle().clear()


def lent(folder: Path, memory: str = "100MB") -> AbstractContextManager[duckdb.DuckDBPyConnection]:
    return instances.lent(memory=memory, threads=2, spill=folder / "spill")


def idle() -> int:
    return len(instances.idle())


def test_the_next_user_sees_nothing_of_the_previous_one(tmp_path: Path) -> None:
    with lent(tmp_path, memory="20MB") as connection:
        for name in ("one", "two"):
            connection.execute(f"ATTACH '{tmp_path / name}' AS {name}")
        connection.execute("USE one; CREATE TEMP TABLE t AS SELECT 1; BEGIN; CREATE TABLE two.t AS SELECT 1")
        connection.execute("SET GLOBAL preserve_insertion_order = true; SET GLOBAL TimeZone = 'Asia/Tokyo'")
        connection.execute("SET TimeZone = 'Asia/Tokyo'")
        connection.execute("SELECT * FROM range(1000000)").fetchone()
    assert idle() == 1
    with duckdb.connect(tmp_path / "two") as foreign:  # the file was let go of, and no transaction is left
        assert foreign.execute("FROM duckdb_tables()").fetchall() == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]
    with lent(tmp_path) as connection:
        assert idle() == 0
        assert connection.execute(KNOWN).fetchone() == EMPTY


def test_two_users_at_the_same_time_have_different_instances(tmp_path: Path) -> None:
    with lent(tmp_path) as one, lent(tmp_path) as other:
        one.execute("CREATE TABLE t AS SELECT 1")
        assert other.execute("FROM duckdb_tables()").fetchall() == []
        one.execute("DROP TABLE t")
    assert idle() == 2


def test_an_instance_is_closed_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(duckdb.CatalogException), lent(tmp_path) as connection:
        connection.execute("FROM nowhere")
    assert idle() == 0
    with pytest.raises(duckdb.ParserException), lent(tmp_path, memory="much"):
        pass
    assert idle() == 0


def test_an_instance_with_data_in_memory_or_on_disk_is_closed(tmp_path: Path) -> None:
    with lent(tmp_path) as connection:
        connection.execute("CREATE TABLE t AS SELECT 1")
    assert idle() == 0
    (tmp_path / "spill").mkdir()
    with lent(tmp_path, memory="10MB") as connection:
        connection.execute("CREATE TEMP TABLE t AS SELECT range::VARCHAR || 'abcdefghijkl' FROM range(1000000)")
        assert any((tmp_path / "spill").iterdir())
    assert idle() == 0
    assert not any((tmp_path / "spill").iterdir())


def test_a_fork_does_not_use_its_parents_instances(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with lent(tmp_path):
        pass
    parents = instances.idle()
    monkeypatch.setattr("os.getpid", lambda: 1)
    with lent(tmp_path) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
        assert len(parents) == 1
