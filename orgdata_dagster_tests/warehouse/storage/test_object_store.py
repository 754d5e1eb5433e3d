"""Places in object stores, their credentials, and a server that does not answer.

The tests with an S3 server are in growth/test_object_store.py.
"""

from __future__ import annotations

import socket
from pathlib import Path

import duckdb
import pytest

from orgdata_dagster.cli.backup import local_parts
from orgdata_dagster.cli.errors import UserError
from orgdata_dagster.warehouse.errors import WarehouseUnavailable
from orgdata_dagster.warehouse.export import export
from orgdata_dagster.warehouse.storage.connection import Warehouse
from orgdata_dagster.warehouse.storage.object_store import ObjectStore, store_of
from orgdata_dagster_tests import warehouses
from orgdata_dagster_tests.warehouse.rig import ITEMS, Rig

SECRET = "hidden/s3+secret'key"
S3 = ObjectStore("s3://bucket/lake")


@pytest.fixture(autouse=True)
def variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that does not answer, because nothing listens on its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{probe.getsockname()[1]}"
    for name, value in (("ACCESS_KEY_ID", "key"), ("SECRET_ACCESS_KEY", SECRET), ("ENDPOINT_URL", endpoint)):
        monkeypatch.setenv(f"AWS_{name}", value)


@pytest.fixture
def connection(scratch: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    warehouses.need_lakes()
    return scratch


@pytest.mark.parametrize("place", ["/srv/lake", "lake", "s3:lake"])
def test_a_path_is_no_object_store(place: str) -> None:
    assert store_of(place) is None


@pytest.mark.parametrize("place", ["s3://bucket/lake", "gs://bucket", "r2://a.b-c/lake/below", "gcs://bucket/x y"])
def test_places(place: str) -> None:
    assert store_of(place) == ObjectStore(place)


@pytest.mark.parametrize(
    "place",
    ["s4://bucket/lake", "S3://bucket/lake", "https://bucket/lake", "abfss://bucket/lake", "s3://", "s3:///lake",
     "s3://key:hidden@bucket/lake", "s3://bucket/lake?s3_secret_access_key=hidden"],
)  # fmt: skip
def test_other_urls_are_refused_instead_of_made_into_folders(place: str, tmp_path: Path) -> None:
    for attempt in (
        lambda: Warehouse(f"ducklake:sqlite:c?DATA_PATH={place}", scratch=tmp_path, base=lambda: tmp_path),
        lambda: export(Warehouse("w", scratch=tmp_path, base=lambda: tmp_path), ITEMS.table, place),
    ):
        with pytest.raises(WarehouseUnavailable, match=r"Files cannot|in an object store is|unknown option") as e:
            attempt()
        assert "hidden" not in str(e.value)


def test_the_secret_is_made_for_the_bucket_only(connection: duckdb.DuckDBPyConnection) -> None:
    S3.authenticate(connection)
    S3.authenticate(connection)
    found = connection.execute("SELECT name, scope, persistent FROM duckdb_secrets()").fetchall()
    assert found.count(("orgdata s3://bucket", ["s3://bucket/"], False)) == 1
    assert SECRET not in str(connection.execute("FROM duckdb_secrets()").fetchall())


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("AWS_SECRET_ACCESS_KEY", "", "AWS_ACCESS_KEY_ID is set, and AWS_SECRET_ACCESS_KEY is missing"),
        ("AWS_ENDPOINT_URL", "minio:9000", "AWS_ENDPOINT_URL is not an address: write https://HOST or http://HOST:"),
        ("AWS_ENDPOINT_URL_S3", "http://me:hidden@minio:9000", "AWS_ENDPOINT_URL_S3 is not an address"),
    ],
)
def test_invalid_variables(
    connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(WarehouseUnavailable, match=message) as caught:
        S3.authenticate(connection)
    assert "hidden" not in str(caught.value)


def test_r2_needs_the_address_of_the_account(
    connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    with pytest.raises(WarehouseUnavailable, match="r2:// needs the address of your account: AWS_ENDPOINT_URL="):
        ObjectStore("r2://bucket").authenticate(connection)


def test_a_server_that_does_not_answer_is_named(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    rig = Rig(tmp_path, connection, str(tmp_path / "warehouse.duckdb"))
    rig.land("id\n1\n")
    with pytest.raises(
        WarehouseUnavailable, match=r"^Cannot export acme.items to s3://bucket/out/.*: Could not"
    ) as caught:
        export(rig.warehouse, ITEMS.table, "s3://bucket/out")
    assert "AWS_ENDPOINT_URL" in str(caught.value)
    assert SECRET not in str(caught.value)


def test_what_the_store_says_is_a_part_of_the_message(tmp_path: Path) -> None:
    storage = Warehouse(f"ducklake:sqlite:c?DATA_PATH={S3.url}", scratch=tmp_path).storage
    refused = duckdb.HTTPException("HTTP Error: GET of 's3://x' (HTTP 403)\n\nAccessDenied: Denied.\n\nSee: docs")
    assert str(storage.explained(refused)).startswith(
        "The lake's files in s3://bucket/lake cannot be reached (GET of 's3://x' (HTTP 403), AccessDenied: Denied). "
        "Nothing was committed. Check DATA_PATH in ORGDATA_WAREHOUSE, and AWS_ACCESS_KEY_ID, "
    )
    assert storage.explained(duckdb.BinderException("Binder Error: no column")) is None


def test_a_backup_says_why_it_cannot_contain_the_files(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    assert connection
    for options, message in (
        (
            f"?DATA_PATH={S3.url}",
            r"back up the catalog first, then s3://bucket, each by its own means",
        ),
        ("", "only its catalog knows where the files of ducklake:postgres:dbname=x are: add DATA_PATH to ORGDATA_"),
    ):
        with pytest.raises(UserError, match=message):
            local_parts(Warehouse(f"ducklake:postgres:dbname=x{options}", scratch=tmp_path))
