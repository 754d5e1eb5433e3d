"""What the warehouse's URI means, and the error for an invalid one."""

from pathlib import Path

import pytest

from orgdata_dagster.warehouse.errors import WarehouseUnavailable
from orgdata_dagster.warehouse.storage.lake import Lake
from orgdata_dagster.warehouse.storage.storage import Storage
from orgdata_dagster.warehouse.storage.uri import storage_of

BASE = Path("/base")


def storage(uri: str) -> Storage:
    return storage_of(uri, base=lambda: BASE, scratch=BASE)


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("w.duckdb", "/base/w.duckdb"),
        ("/srv/w.duckdb", "/srv/w.duckdb"),
        ("ducklake:c.ducklake", "ducklake:/base/c.ducklake"),
        ("DuckLake:sqlite:c.sqlite?data_path=files", "ducklake:sqlite:/base/c.sqlite"),
        ("ducklake:postgres:dbname=lake password=hidden", "ducklake:postgres:dbname=lake"),
        ("ducklake:postgres:dbname='a b' password=hidden", "ducklake:postgres:dbname='a b'"),
        (
            "ducklake:postgres:postgresql://me:hidden@db/lake?sslmode=require&DATA_PATH=/d",
            "ducklake:postgres:user=me dbname=lake host=db sslmode=require",
        ),
        ("ducklake:postgresql://me:hidden@db/lake", "ducklake:postgres:user=me dbname=lake host=db"),
        ("ducklake:postgres:dbname=lake password=hidden?hidden?DATA_PATH=/d", "ducklake:postgres:dbname=lake"),
        ("ducklake:postgres://me:hidden?hidden@db/lake", "ducklake:postgres:user=me dbname=lake host=db"),
        ("ducklake:postgres:", "ducklake:postgres:"),  # all of it is in PGSERVICE
        ("md:org", "md:org"),
    ],
)
def test_valid_uris(uri: str, shown: str) -> None:
    assert storage(uri).shown == shown
    assert "hidden" not in storage(uri).shown


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("ftp://me:hidden@x/y", "ftp:... is not supported. Set it to the path of a DuckDB file"),
        ("postgresql://me:hidden@db/lake", "did you mean ducklake:postgres:..."),
        ("ducklake:", "file of the lake's catalog is missing"),
        ("md:", "name of the database is missing"),
        ("ducklake:mysql:x", "catalog cannot be mysql:"),
        ("ducklake:c?PATH=hidden", "unknown option PATH of a lake; known are DATA_PATH"),
        ("ducklake:postgres:dbname=x?DATAPATH=hidden", "did you mean DATA_PATH=...?"),
        ("ducklake:postgres:postgresql://me:hidden@db:port/x?nonsense=1", "is not a connection string"),
        ("ducklake:postgres:host=x hidden", "is not a connection string"),
        ("ducklake:postgres:postgresql://me:hidden/hidden@db/x", "is not a connection string"),
        ("ducklake:postgresql://me:1/hidden@db/x?DATA_PATH=/d", "is not a connection string"),
        ("~nobody-here/w.duckdb", "names an unknown user"),
    ],
)
def test_invalid_uris(uri: str, message: str) -> None:
    with pytest.raises(WarehouseUnavailable) as caught:
        storage(uri)
    assert message in str(caught.value)
    assert str(caught.value).startswith("ORGDATA_WAREHOUSE: ")
    assert "hidden" not in str(caught.value)


def test_a_lake_lists_its_files_and_folders() -> None:
    lake = storage("ducklake:c.ducklake")
    assert isinstance(lake, Lake)
    assert list(map(str, lake.files())) == [
        "/base/c.ducklake", "/base/c.ducklake.wal", "/base/c.ducklake.lock", "/base/c.ducklake.files",
    ]  # fmt: skip
    assert lake.folders() == []  # those that exist
    assert list(storage("ducklake:postgres:dbname=x?DATA_PATH=s3://bucket/lake").files()) == []


def test_types_that_a_lake_would_change(tmp_path: Path) -> None:
    """Parquet has no such type: 170141183460469231731687303715884105727 was read as 1.7014118346046923e+38."""
    lake, file = storage(f"ducklake:{tmp_path}/c"), storage(f"{tmp_path}/w")
    for kind in ("HUGEINT", "UHUGEINT[]", "INTERVAL", "TIME WITH TIME ZONE", "ENUM('a')", "INTEGER[3]"):
        assert lake.unusable(kind), kind
        assert not file.unusable(kind)
    for kind in ("VARCHAR", "BIGINT[]", "TIMESTAMP WITH TIME ZONE", "DECIMAL(38,12)", "STRUCT(a INTEGER)", "TIME"):
        assert not lake.unusable(kind), kind


def test_a_connection_to_a_catalog_gives_up_when_the_network_fails() -> None:
    """DuckDB's own would wait for a quarter of an hour, and the run with it."""
    lake = storage("ducklake:postgres:host=db keepalives_idle=60")
    assert isinstance(lake, Lake)
    assert "tcp_user_timeout=25000" in lake.catalog.path
    assert "connect_timeout=10" in lake.catalog.path
    assert "keepalives_idle=60" in lake.catalog.path
    assert lake.shown == "ducklake:postgres:host=db keepalives_idle=60"
