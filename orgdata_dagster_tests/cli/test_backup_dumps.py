"""Dumps of parts of PostgreSQL databases: each part has its own tables only, wherever it is stored."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest

from orgdata_dagster.cli.backup import Description, making
from orgdata_dagster.cli.backup.dumps import Database, dump, libpq_address, restore, restore_unused_state
from orgdata_dagster.cli.errors import UserError
from orgdata_dagster.http.rate_limit import RateLimit, Rule, Window
from orgdata_dagster.warehouse import names
from orgdata_dagster.warehouse.errors import WarehouseUnavailable
from orgdata_dagster_tests import warehouses
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.postgres import PASSWORD, Server

LAKE = (
    "CREATE SCHEMA IF NOT EXISTS {0}; CREATE TABLE {0}.ducklake_metadata (of TEXT); INSERT INTO {0}.ducklake_metadata"
)
RULE = Rule(buckets=((Window(9, 3600),),))


def content(postgres: Server, database: str) -> dict[str, str]:
    """Table -> its only value."""
    tables = ("public.runs", "public.ducklake_metadata", "tenant.ducklake_metadata", "other.ducklake_metadata")
    return {table: postgres.sql(f"SELECT * FROM {table}", database)[0][0] for table in tables}


def change(postgres: Server, database: str, value: str) -> None:
    for table in content(postgres, database):
        postgres.sql(f"UPDATE {table} SET of = '{value}'", database)


@pytest.mark.parametrize("part", ["dagster", "public", "tenant"])
def test_restoring_a_part_leaves_other_tables_of_its_database_alone(
    postgres: Server, tmp_path: Path, part: str
) -> None:
    """It used to replace all of them, such as the catalogs of other lakes in the same database."""
    database = postgres.new_database()
    postgres.sql("CREATE TABLE runs (of TEXT); INSERT INTO runs VALUES ('before')", database)
    for schema in ("public", "tenant", "other"):
        postgres.sql(f"{LAKE.format(schema)} VALUES ('before')", database)
    found = Database(
        postgres.url(database), "dagster" if part == "dagster" else "lake", "" if part == "dagster" else part
    )
    dump(found, tmp_path / "part.dump")
    change(postgres, database, "since")
    restore(found, tmp_path / "part.dump")
    mine = "public.runs" if part == "dagster" else f"{part}.ducklake_metadata"
    assert {table for table, value in content(postgres, database).items() if value == "before"} == {mine}


@pytest.mark.parametrize("schema", ["tenant", 'Te"nant'])
def test_a_lake_is_restored_into_a_schema_that_does_not_exist(postgres: Server, tmp_path: Path, schema: str) -> None:
    database, new = postgres.new_database(), postgres.new_database()
    postgres.sql(f"{LAKE.format(names.quoted(schema))} VALUES ('x')", database)
    dump(Database(postgres.url(database), "lake", schema), tmp_path / "lake.dump")
    restore(Database(postgres.url(new), "lake", schema), tmp_path / "lake.dump")
    assert postgres.sql(f"SELECT * FROM {names.quoted(schema)}.ducklake_metadata", new) == [["x"]]


def test_a_backup_whose_lock_was_lost_is_not_complete(
    home: Home, postgres: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process may then have committed, so that the parts of the backup show different moments."""
    warehouses.need_lakes()
    database = postgres.new_database()
    home.set(ORGDATA_WAREHOUSE=f"ducklake:postgres:{postgres.keywords(database)}?DATA_PATH={tmp_path}/lake")
    with home.warehouse.writing() as connection:
        connection.execute("CREATE TABLE t AS SELECT 1 AS n")
    lock = f"locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = '{database}')"

    def lose(part: Database, file: Path) -> None:
        dump(part, file)
        assert postgres.sql(f"SELECT pg_terminate_backend(pid) FROM pg_locks WHERE {lock}") == [["t"]]

    monkeypatch.setattr(making, "dump", lose)
    with pytest.raises(WarehouseUnavailable, match="held the warehouse's lock was lost"):
        making.make(tmp_path / "backup")
    with pytest.raises(UserError, match="is not a complete backup"):
        Description.read(tmp_path / "backup")


def test_a_part_without_tables_has_no_dump(postgres: Server, tmp_path: Path) -> None:
    empty = Database(postgres.url(postgres.new_database()), "lake", "public")
    dump(empty, tmp_path / "lake.dump")
    assert not (tmp_path / "lake.dump").exists()
    restore(empty, tmp_path / "lake.dump")


def test_state_is_restored_only_where_there_is_none(postgres: Server, tmp_path: Path) -> None:
    """It used to be restored nowhere, because the restoring process has created its tables before."""
    from orgdata_dagster.state.postgres import PostgresState

    def opened(database: str) -> PostgresState:
        return PostgresState(postgres.url(database))

    old, new = postgres.new_database(), postgres.new_database()
    state = opened(old)
    state.notes("pauses").add("acme", "yes")
    with state.lock("held while the backup is made"), RateLimit("acme", RULE, state).spend():
        dump(Database(postgres.url(old), "state"), tmp_path / "state.dump")
    opened(new).describe()
    postgres.sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{new}'")

    for _ in range(2):
        restore_unused_state(postgres.url(new), tmp_path / "state.dump")
        restored = opened(new)
        with restored.lock("held while the backup is made", patience=0):
            assert restored.notes("pauses").read("acme") == "yes"
        assert RateLimit("acme", RULE, restored).usage()[0].spent >= 1
        postgres.sql("UPDATE orgdata_state.note SET text = 'yes'", new)
        restored.notes("pauses").add("since", "yes")
    assert opened(new).notes("pauses").read("since") == "yes"


def test_an_address_of_sqlalchemy_is_understood(postgres: Server, tmp_path: Path) -> None:
    """The error used to quote the address with its password."""
    database, role = postgres.new_database(), "of_dagster"
    password = f"{PASSWORD}/?#'%@ x"
    postgres.sql(f"DROP ROLE IF EXISTS {role}")
    quoted = password.replace("'", "''")
    postgres.sql(f"CREATE ROLE {role} LOGIN SUPERUSER PASSWORD '{quoted}'")
    postgres.sql("CREATE TABLE runs (of TEXT)", database)
    escaped = quote(password)  # as Dagster does it for `postgres_db`: `/` stays
    address = f"postgresql+psycopg2://{role}:{escaped}@127.0.0.1:{postgres.port}/{database}?connect_timeout=9"
    dump(Database(libpq_address(address), "dagster"), tmp_path / "dagster.dump")
    assert (tmp_path / "dagster.dump").exists()
    with pytest.raises(UserError, match="does not exist") as caught:
        dump(Database(libpq_address(address.replace(database, "none")), "dagster"), tmp_path / "none.dump")
    assert PASSWORD not in str(caught.value)
    with pytest.raises(UserError, match="is not valid") as caught:
        restore_unused_state(f"postgresql://me:{PASSWORD}/z@host/x", tmp_path / "state.dump")
    assert PASSWORD not in str(caught.value)
