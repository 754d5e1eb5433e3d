"""A backup that is made while a pull runs is restored as one consistent state, and the pull continues from it."""

from __future__ import annotations

import errno
import json
import random
import shutil
from pathlib import Path

import dagster as dg
import pytest

from orgdata_dagster.cli.backup import restoring
from orgdata_dagster.cli.backup.making import make
from orgdata_dagster.cli.backup.restoring import restore
from orgdata_dagster.cli.errors import UserError
from orgdata_dagster.orchestration.shared_state import shared_state
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster_tests import warehouses
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.integration.project import institution_analytics, today
from orgdata_dagster_tests.integration.truth import difference
from orgdata_dagster_tests.postgres import PASSWORD, Server
from orgdata_dagster_tests.waiting import wait_until

NAME = "events"
TABLE = f"institution_analytics.{NAME}"
# moments of a pull at which a backup is made
SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.growth) for seed in range(1, 6))]


@pytest.fixture
def small(home: Home, sandbox: Sandbox) -> Home:
    """A project with one table; pulling some of its days takes a few seconds."""
    sandbox.institution_analytics.page_rows = 25
    home.write_project(
        institution_analytics=institution_analytics(
            limits={"concurrent": 2, "per_minute": 100_000}, tables=[{"name": NAME, "key": ["id"]}]
        )
    )
    return home


def move_away(home: Home) -> None:
    """Simulate another machine: the home is empty."""
    shutil.rmtree(home.folder)


def consistent(home: Home) -> set[str]:
    """Check that table, ledger and Dagster agree; returns the partitions that have landed."""
    stored = dict(home.sql(f"SELECT _orgdata_partition, count(*) FROM {TABLE} GROUP BY ALL"))
    ledger = dict(
        home.sql(
            # a pull that goes on with a day that is not over counts its new rows only
            "SELECT partition_key, CASE WHEN partition_key = ? THEN sum(row_count) "
            "ELSE last(row_count ORDER BY loaded_at) END "
            "FROM _orgdata.loads WHERE status = 'landed' GROUP BY 1",
            today(),
        )
    )
    with home.instance() as instance:
        reported = instance.get_materialized_partitions(dg.AssetKey(["institution_analytics", NAME]))
        unended = [run for run in instance.get_runs() if not run.is_finished]
    assert stored == {partition: rows for partition, rows in ledger.items() if rows}
    assert reported == set(ledger)
    assert unended == []
    return set(ledger)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_backup_under_load_shows_one_moment_and_a_pull_continues_from_it(
    small: Home, sandbox: Sandbox, tmp_path: Path, seed: int
) -> None:
    moment = random.Random(seed)
    pull = small.start("pull", "--from", today(back=5))
    requests = moment.randrange(2, 14)
    wait_until(lambda: len(sandbox.log.entries()) >= requests or not pull.running)
    made = small.orgdata("backup", str(tmp_path / "backup"))
    assert made.status == 0, made.everything
    assert pull.wait().status == 0
    move_away(small)

    done = small.orgdata("restore", str(tmp_path / "backup"))

    assert done.status == 0, done.everything
    if json.loads((tmp_path / "backup/backup.json").read_text())["rows"]:
        consistent(small)
    assert small.orgdata("pull", "--from", today(back=5)).status == 0
    assert len(consistent(small)) == 6
    truth = sandbox.institution_analytics.data_sets[NAME].truth()
    wanted = [row for row in truth if str(row["updated_date"]) >= today(back=5)]
    assert difference(small.warehouse, TABLE, wanted) == {}


def test_existing_files_are_moved_aside_but_rate_limits_stay(small: Home, tmp_path: Path) -> None:
    assert small.materialize(f"institution_analytics/{NAME}", today(back=5), today()).success
    asked = small.folder / "rate_limits" / "another.sqlite"
    asked.write_bytes(b"at the backup")
    make(tmp_path / "backup")
    asked.write_bytes(b"since the backup")

    with pytest.raises(UserError, match=r"^there is data already: .*dagster, .*warehouse\.duckdb\. With --replace"):
        restore(tmp_path / "backup", replace=False)
    _, moved = restore(tmp_path / "backup", replace=True)

    assert all(path.exists() for path in moved)
    assert {path.name.partition(".before")[0] for path in moved} == {"dagster", "warehouse.duckdb"}
    assert len(consistent(small)) == 6
    assert asked.read_bytes() == b"since the backup"


def test_a_mounted_folder_is_emptied_instead_of_renamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lake's folder is often the mount point itself, as in deploy/compose."""
    lake = tmp_path / "lake"
    (lake / "acme").mkdir(parents=True)
    (lake / "acme" / "1.parquet").touch()
    real = Path.rename

    def rename(path: Path, target: Path) -> Path:
        if path == lake:
            raise OSError(errno.EBUSY, "Device or resource busy")
        return real(path, target)

    monkeypatch.setattr(Path, "rename", rename)
    assert restoring._moved_aside(lake, "before") == lake / "before"
    assert [path.relative_to(lake) for path in lake.rglob("*.parquet")] == [Path("before/acme/1.parquet")]


def test_a_damaged_backup_changes_nothing(small: Home, tmp_path: Path) -> None:
    assert small.materialize(f"institution_analytics/{NAME}").success
    make(tmp_path / "backup")
    before = {path: content for path, content in small.everything() if path.suffix in (".duckdb", ".db")}

    (tmp_path / "backup/warehouse/warehouse.duckdb").write_bytes(b"x")
    with pytest.raises(UserError, match=r"is damaged: warehouse/warehouse\.duckdb is missing or was changed"):
        restore(tmp_path / "backup", replace=True)
    (tmp_path / "backup/backup.json").unlink()
    with pytest.raises(UserError, match=r"is not a complete backup: it has no valid backup\.json"):
        restore(tmp_path / "backup", replace=True)

    assert {path: content for path, content in small.everything() if path in before} == before


def test_a_backup_is_not_written_to_a_folder_with_files(tmp_path: Path) -> None:
    (tmp_path / "backup").mkdir()
    (tmp_path / "backup" / "mine").touch()

    with pytest.raises(UserError, match="backup is not empty: name a new folder for each backup"):
        make(tmp_path / "backup")


def test_a_dagster_home_outside_the_home_is_refused_and_not_changed(new_home: Home, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    new_home.set(DAGSTER_HOME=str(tmp_path / "elsewhere"))

    with pytest.raises(UserError, match=r"elsewhere, outside ORGDATA_HOME, and would not be part of the backup"):
        make(tmp_path / "backup")

    assert (tmp_path / "elsewhere" / "dagster.yaml").exists()
    assert not (tmp_path / "backup").exists()


@pytest.mark.growth
def test_everything_on_postgresql_is_restored(
    new_home: Home, sandbox: Sandbox, postgres: Server, tmp_path: Path
) -> None:
    warehouses.need_lakes()
    project = new_home.write_project(
        institution_analytics=institution_analytics(tables=[{"name": NAME, "key": ["id"]}])
    )
    instance_file = project / "dagster.yaml"
    storage = "\nstorage:\n  postgres:\n    postgres_url: {env: DAGSTER_POSTGRES_URL}\n"
    instance_file.write_text(instance_file.read_text() + storage)

    def use_databases() -> None:
        lake = postgres.keywords(postgres.new_database())
        new_home.set(
            DAGSTER_POSTGRES_URL=postgres.url(postgres.new_database()),
            ORGDATA_STATE=postgres.url(postgres.new_database()),
            ORGDATA_WAREHOUSE=f"ducklake:postgres:{lake}?DATA_PATH={tmp_path}/lake",
        )

    use_databases()
    assert new_home.orgdata("pull", "--from", today(back=5)).status == 0
    assert shared_state().notes("circuit_breakers").add("acme", "since the backup no more")
    made = new_home.orgdata("backup", str(tmp_path / "backup"))
    assert made.status == 0, made.everything
    shutil.rmtree(new_home.folder)
    shutil.rmtree(tmp_path / "lake")
    use_databases()  # another server, with nothing on it

    done = new_home.orgdata("restore", str(tmp_path / "backup"))

    assert done.status == 0, done.everything
    assert shared_state().notes("circuit_breakers").read("acme") == "since the backup no more"
    assert len(consistent(new_home)) == 6
    truth = sandbox.institution_analytics.data_sets[NAME].truth()
    assert (
        difference(new_home.warehouse, TABLE, [row for row in truth if str(row["updated_date"]) >= today(back=5)]) == {}
    )
    assert PASSWORD not in made.everything + done.everything
    again = new_home.orgdata("restore", str(tmp_path / "backup"))
    assert (again.status, "the database of dagster" in again.everything) == (2, True), again.everything
