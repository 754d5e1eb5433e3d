"""Which memory limit applies. Work that exceeds it is repeated with all memory before it fails."""

from pathlib import Path

import duckdb
import pytest

from orgdata_dagster.warehouse.errors import MemoryShort, WarehouseUnavailable
from orgdata_dagster.warehouse.storage import memory
from orgdata_dagster.warehouse.storage.connection import Warehouse
from orgdata_dagster.warehouse.storage.memory import allowed, of_machine, parsed, with_room

TOO_MUCH = "SELECT string_agg(repeat('x', 1000), '') FROM range(90000)"
MIB, GIB = 1 << 20, 1 << 30


@pytest.fixture
def connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> duckdb.DuckDBPyConnection:
    monkeypatch.delenv(memory.VARIABLE, raising=False)
    return duckdb.connect(
        config={"memory_limit": "32MiB", "threads": 2, "temp_directory": str(tmp_path / "a" / "b" / "c")}
    )


def settings(connection: duckdb.DuckDBPyConnection) -> tuple[object, ...]:
    return connection.execute("SELECT current_setting('memory_limit'), current_setting('threads')").fetchone() or ()


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"memory/docker/7/memory.limit_in_bytes": str(GIB), "memory/memory.limit_in_bytes": str(2**63 - 4096)}, GIB),
        ({"memory/memory.limit_in_bytes": str(GIB)}, GIB),  # a container in which its own path cannot be seen
        (
            {"memory/docker/memory.limit_in_bytes": str(GIB // 2), "memory/docker/7/memory.limit_in_bytes": str(GIB)},
            GIB // 2,
        ),
        ({"user/1/memory.max": "max", "user/memory.max": str(GIB)}, GIB),
        ({"memory.max": str(2 * GIB), "user/1/memory.max": str(GIB)}, GIB),
    ],
)
def test_the_limit_of_a_container_counts(tmp_path: Path, files: dict[str, str], expected: int) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text + "\n")
    mine = tmp_path / "mine"
    mine.write_text("4:memory:/docker/7\n3:cpu:/elsewhere\n0::/user/1\n")
    assert of_machine(tmp_path, mine) == expected


def test_without_a_container_it_is_the_machine(tmp_path: Path) -> None:
    assert of_machine(tmp_path, tmp_path / "nothing") > GIB // 2


@pytest.mark.parametrize(
    ("machine", "share", "most"),
    [(GIB // 4, 64 * MIB, 153 * MIB), (GIB, 76 * MIB, 614 * MIB), (24 * GIB, 192 * MIB, 4 * GIB)],
)
def test_the_default_depends_on_the_machine(
    monkeypatch: pytest.MonkeyPatch, machine: int, share: int, most: int
) -> None:
    monkeypatch.delenv(memory.VARIABLE, raising=False)
    monkeypatch.setattr(memory, "of_machine", lambda: machine)
    assert (allowed().share // MIB, allowed().most // MIB) == (share // MIB, most // MIB)


def test_the_variable_overrides_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(memory.VARIABLE, "100MiB")
    assert (allowed().share, allowed().most) == (100 * MIB, 100 * MIB)
    with Warehouse("", scratch=tmp_path).scratch_connection() as connection:
        assert settings(connection)[0] == "100.0 MiB"


@pytest.mark.parametrize("text", ["lots", "512", "-1GB", "80%", "1 MB", "", " GB"])
def test_an_invalid_amount_is_explained(text: str) -> None:
    with pytest.raises(WarehouseUnavailable, match=r"ORGDATA_MEMORY: .*a number with MB or GB, at least 16MB"):
        parsed(text)


def test_work_that_does_not_fit_is_repeated_alone_with_all_memory(connection: duckdb.DuckDBPyConnection) -> None:
    seen = []

    def work() -> object:
        seen.append(settings(connection))
        return connection.execute("SELECT length(string_agg(repeat('x', 1000), '')) FROM range(60000)").fetchone()

    assert with_room(connection, work) == (60_000_000,)
    before, after = seen
    assert before == ("32.0 MiB", 2)
    assert after[1] == 1
    assert settings(connection) == before


def test_work_that_still_does_not_fit_fails_with_one_sentence(
    connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(memory.VARIABLE, "40MiB")
    with pytest.raises(MemoryShort) as caught:
        with_room(connection, lambda: connection.execute(TOO_MUCH))
    assert str(caught.value) == (
        "40 MiB of memory are not enough, even for one run at a time. Set ORGDATA_MEMORY to more, or give the "
        "machine or container more memory."
    )
    assert settings(connection) == ("32.0 MiB", 2)


def test_other_errors_are_not_retried(connection: duckdb.DuckDBPyConnection) -> None:
    tries = []

    def work() -> object:
        tries.append(1)
        return connection.execute("FROM nowhere")

    with pytest.raises(duckdb.CatalogException):
        with_room(connection, work)
    assert len(tries) == 1


def test_a_users_query_that_does_not_fit_fails_with_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(memory.VARIABLE, "40MiB")
    warehouse = Warehouse(str(tmp_path / "warehouse.duckdb"), scratch=tmp_path)
    with warehouse.writing() as connection:
        connection.execute("CREATE TABLE t AS SELECT 1")
    with pytest.raises(MemoryShort, match="Set ORGDATA_MEMORY to more"):
        warehouse.query(TOO_MUCH)
