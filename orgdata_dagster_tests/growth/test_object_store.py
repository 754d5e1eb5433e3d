"""Lakes and exports in an object store, with a real S3 server (SeaweedFS) that is killed and comes back.

It needs `pip install -e '.[s3]'`. What needs no server is in warehouse/storage/test_object_store.py.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster.warehouse.errors import WarehouseUnavailable
from orgdata_dagster.warehouse.export import Exported, export
from orgdata_dagster.warehouse.names import TableName
from orgdata_dagster.warehouse.storage.connection import Warehouse
from orgdata_dagster.warehouse.storage.maintenance import maintain
from orgdata_dagster.warehouse.storage.object_store import ObjectStore
from orgdata_dagster_tests import object_store, warehouses
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.integration.project import institution_analytics, today
from orgdata_dagster_tests.integration.truth import difference
from orgdata_dagster_tests.object_store import READER, READER_SECRET, SECRET, Store
from orgdata_dagster_tests.postgres import PASSWORD, Server
from orgdata_dagster_tests.warehouse.rig import ITEMS, Rig

pytestmark = [
    pytest.mark.growth,
    pytest.mark.skipif(not object_store.program(), reason="no S3 server is installed: pip install -e '.[s3]'"),
]
USERS = "institution_analytics/users"
_numbers = itertools.count(1)
AWKWARD = replace(ITEMS, table=TableName("acme", "a b%c"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    warehouses.need_lakes()
    with object_store.running(tmp_path_factory.mktemp("s3") / "data") as store:
        yield store


@pytest.fixture
def store(server: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Store:
    for name, value in server.variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))  # neither DuckDB's stored secrets nor AWS's profiles
    return server


@pytest.fixture
def bucket(store: Store) -> str:
    return store.bucket(f"bucket-{next(_numbers)}")


@pytest.fixture
def scratch(tmp_path: Path, store: Store) -> Iterator[duckdb.DuckDBPyConnection]:
    assert store
    with Warehouse("", scratch=tmp_path / "scratch").scratch_connection() as connection:
        yield connection


@pytest.fixture
def lake(tmp_path: Path, scratch: duckdb.DuckDBPyConnection, bucket: str) -> Rig:
    return Rig(tmp_path, scratch, f"ducklake:sqlite:{tmp_path}/catalog?DATA_PATH=s3://{bucket}/lake")


@pytest.fixture
def rig(tmp_path: Path, scratch: duckdb.DuckDBPyConnection) -> Rig:
    """A warehouse in a file."""
    return Rig(tmp_path, scratch, str(tmp_path / "warehouse.duckdb"))


def exported(connection: duckdb.DuckDBPyConnection, place: str) -> list[tuple[object, ...]]:
    store = ObjectStore(place)
    store.authenticate(connection)
    rows = f"SELECT id, _orgdata_partition FROM read_parquet('{place}/**/rows.parquet') ORDER BY ALL"
    return connection.execute(rows).fetchall()


def test_the_commands_work_on_a_lake_in_an_object_store_and_say_no_secret(
    home: Home, sandbox: Sandbox, postgres: Server, bucket: str
) -> None:
    catalog = f"ducklake:postgres:{postgres.url(postgres.new_database())}"
    home.set(ORGDATA_WAREHOUSE=f"{catalog}?DATA_PATH=s3://{bucket}/lake")
    home.write_project(institution_analytics=institution_analytics(tables=[{"name": "users", "key": ["id"]}]))
    out = f"s3://{bucket}/out"
    commands = [
        ("doctor", "--offline"), ("pull", USERS, "--from", today(back=5)), ("pull", USERS), ("status",),
        ("doctor", "--offline"), ("query", "SELECT max(id) FROM institution_analytics.users"), ("export", out),
        ("export", out),
    ]  # fmt: skip
    done = [home.orgdata(*words) for words in commands]
    assert [each.status for each in done] == [0] * len(commands), done
    users = sandbox.institution_analytics.data_sets["users"].truth()
    assert difference(home.warehouse, "institution_analytics.users", users) == {}
    written = re.search(r"(\d) files written, 0 unchanged", done[6].out)
    assert written, done[6]
    assert f"0 files written, {written[1]} unchanged" in done[7].out
    backup = home.orgdata("backup", str(home.folder / "backup"))
    assert f"then s3://{bucket}, each by its own means" in backup.everything

    home.set(ORGDATA_WAREHOUSE=catalog)  # only the catalog knows the place
    without = home.orgdata("query", "SELECT max(id) FROM institution_analytics.users")
    assert (without.status, without.out) == (0, done[5].out), without
    home.set(AWS_SECRET_ACCESS_KEY="hidden-wrong")
    wrong = [home.orgdata(*words) for words in (("pull", USERS), ("export", out), ("doctor", "--offline"))]
    assert all(each.status for each in wrong), wrong
    assert all("SignatureDoesNotMatch" in each.everything for each in wrong), wrong

    for secret in (SECRET, PASSWORD, "hidden-wrong"):
        assert [each for each in (*done, backup, without, *wrong) if secret in each.everything] == []
        assert [path for path, content in home.everything() if secret.encode() in content] == []


def test_a_server_that_dies_before_the_commit_loses_nothing_and_the_next_pull_lands(lake: Rig, store: Store) -> None:
    lake.land("id\n1\n")
    with pytest.raises(WarehouseUnavailable, match=r"lake's files in s3://.* cannot be reached \(Could not connect"):
        lake.land("id\n2\n", target=replace(ITEMS, afterwards=lambda *_: store.kill()))
    with pytest.raises(WarehouseUnavailable, match="Nothing was committed"):
        lake.land("id\n2\n")
    store.start()
    assert lake.texts() == [("1",)]
    lake.land("id\n3\n")
    assert lake.texts() == [("3",)]


def test_what_the_store_refuses_is_named(
    lake: Rig, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.land("id\n1\n")
    nowhere = Rig(tmp_path, lake.connection, f"ducklake:sqlite:{tmp_path}/other?DATA_PATH=s3://no-{bucket}/lake")
    with pytest.raises(WarehouseUnavailable, match=rf"s3://no-{bucket}/lake cannot be reached"):
        nowhere.land("id\n1\n")
    with pytest.raises(WarehouseUnavailable, match=rf"^Cannot export acme.items to s3://no-{bucket}.*NoSuchBucket"):
        export(lake.warehouse, ITEMS.table, f"s3://no-{bucket}/out")
    with lake.warehouse.scratch_connection() as connection, pytest.raises(duckdb.Error, match="NoSuchBucket"):
        nowhere.warehouse.storage.look(connection)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", READER)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", READER_SECRET)
    with pytest.raises(WarehouseUnavailable, match=r"cannot be reached \(.*AccessDenied"):
        lake.land("id\n2\n")
    assert lake.texts() == [("1",)]


def test_credentials_can_come_from_a_profile_or_a_stored_secret(
    lake: Rig, store: Store, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.land("id\n1\n")
    key = store.variables["AWS_ACCESS_KEY_ID"]
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(WarehouseUnavailable, match=f"There are no credentials for s3://{bucket}: set AWS_"):
        lake.texts()
    (tmp_path / "credentials").write_text(f"[mine]\naws_access_key_id={key}\naws_secret_access_key={SECRET}\n")
    with monkeypatch.context() as profile:
        profile.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
        profile.setenv("AWS_PROFILE", "mine")
        assert lake.texts() == [("1",)]
    endpoint = store.variables["AWS_ENDPOINT_URL"].removeprefix("http://")
    lake.connection.execute(
        f"CREATE SECRET mine (TYPE s3, KEY_ID '{key}', SECRET '{SECRET.replace(chr(39), chr(39) * 2)}', "
        f"ENDPOINT '{endpoint}', URL_STYLE path, USE_SSL false)"
    )
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    assert lake.texts() == [("1",)]


def test_certificates_are_verified_with_a_private_authority_too(
    lake: Rig, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.land("id\n1\n")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"https://127.0.0.1:{store.ports['s3.port.https']}")
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
    with pytest.raises(WarehouseUnavailable, match=r"cannot be reached .*certificate"):
        lake.warehouse.query("SELECT id FROM acme.items")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(store.certificate))
    lake.land("id\n2\n")
    assert lake.texts() == [("2",)]


@pytest.mark.parametrize("scheme", ["s3", "gs", "r2"])
def test_an_export_writes_only_what_changed(
    scheme: str, rig: Rig, bucket: str, scratch: duckdb.DuckDBPyConnection
) -> None:
    place = f"{scheme}://{bucket}/out"
    for target in (ITEMS, AWKWARD):
        rig.land("id\n1\n", target=target)
        rig.land("id\n2\n", target=target, partition="a b/c%d=é?")
        assert export(rig.warehouse, target.table, place) == Exported(target.table, 2, 0, 2)
        assert export(rig.warehouse, target.table, place) == Exported(target.table, 0, 2, 2)
    rig.land("id\n3\n", partition="a b/c%d=é?")
    assert export(rig.warehouse, ITEMS.table, place) == Exported(ITEMS.table, 1, 1, 2)
    assert exported(scratch, f"{place}/acme/items") == [(1, "2026-03-01"), (3, "a b/c%d=é?")]
    with rig.warehouse.writing() as connection:
        connection.execute("DELETE FROM acme.items WHERE id = 3")
    assert export(rig.warehouse, ITEMS.table, place) == Exported(ITEMS.table, 1, 1, 1)
    assert exported(scratch, f"{place}/acme/items") == [(1, "2026-03-01")]


def test_maintenance_deletes_objects(lake: Rig, store: Store, bucket: str) -> None:
    for number in range(3):
        lake.land(f"id\n{number}\n", partition=f"day-{number}")
        lake.land(f"id\n{number}\n")
    before = len(store.objects(f"{bucket}/lake"))
    hence = datetime.now(UTC) + timedelta(hours=1)
    done = maintain(lake.warehouse, snapshots_before=hence, files_before=hence)
    after = len(store.objects(f"{bucket}/lake"))
    assert (done.merged > 4, done.deleted > 4) == (True, True)
    assert done.files <= after < before / 2
    assert len(lake.texts()) == 4
