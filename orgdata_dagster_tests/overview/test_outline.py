"""The part of the configuration that `status` needs is cached only as long as it is valid."""

import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from orgdata_dagster import settings
from orgdata_dagster.cli import loaded_project
from orgdata_dagster.overview import outline
from orgdata_dagster.overview.outline import Partitions, grain_of
from orgdata_dagster.warehouse.ledger import schema
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.integration.project import institution_analytics

STATUS = """
import sys
from orgdata_dagster.cli import orgdata
orgdata(["status"], standalone_mode=False)
print(sorted({name.partition(".")[0] for name in sys.modules} & {"dagster", "pandas", "numpy", "sqlalchemy"}))
"""


@pytest.fixture
def made(home: Home) -> outline.Outline:
    home.write_project(institution_analytics=institution_analytics(limits={"per_minute": 77}))
    made = loaded_project.load().outline()
    outline.keep(made)
    return made


def test_a_cached_outline_equals_the_original(made: outline.Outline) -> None:
    assert outline.cached() == made
    assert made.vendors[0].rule.buckets[0][0].points == 77
    assert {each and each.grain for each in made.tables.values()} == {"day"}
    assert (settings.home() / "outline.json").stat().st_mode & 0o777 == 0o600


def test_status_does_not_load_dagster(made: outline.Outline, home: Home) -> None:
    with home.warehouse.writing() as connection:
        schema.create(connection)  # so that there is a ledger to query
    done = subprocess.run([sys.executable, "-c", STATUS], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert all(table in done.stdout for table in made.tables)


def test_a_changed_project_is_loaded_again(made: outline.Outline, home: Home) -> None:
    assert made.tables
    [path] = Path(os.environ[settings.PROJECT]).rglob("defs.yaml")
    path.write_text(path.read_text() + "\n# a comment\n")
    assert outline.cached() is None
    assert home.orgdata("status").status == 0
    assert outline.cached() is not None
    path.with_name("more.py").write_text("")
    assert outline.cached() is None


def test_a_broken_project_is_reported(made: outline.Outline, home: Home) -> None:
    assert made.tables
    [path] = Path(os.environ[settings.PROJECT]).rglob("defs.yaml")
    path.write_text(path.read_text().replace("tables:", "tabels:"))
    done = home.orgdata("status")
    assert done.status == 2
    assert "tabels" in done.err


def test_only_variables_that_the_project_reads_count(made: outline.Outline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNRELATED", "1")
    assert outline.cached() == made
    monkeypatch.setenv("INSTITUTION_ANALYTICS_BASE_URL", "https://elsewhere.example")
    assert outline.cached() is None


def test_a_damaged_file_is_ignored(made: outline.Outline) -> None:
    assert made.tables
    (settings.home() / "outline.json").write_text('{"made_of": ')
    assert outline.cached() is None


@pytest.mark.parametrize(
    ("cron", "start", "grain"),
    [
        ("0 0 * * *", "2026-01-01", "day"),
        ("0 0 * * 1", "2026-01-05", "week"),
        ("0 0 * * 1", "2026-01-06", None),
        ("0 0 1 * *", "2026-01-01", "month"),
        ("0 0 2 * *", "2026-01-01", None),
        ("0 * * * *", "2026-01-01", None),
    ],
)
def test_grains_of_cron_schedules(cron: str, start: str, grain: str | None) -> None:
    assert grain_of(cron, date.fromisoformat(start)) == grain


def test_partitions_of_another_kind_have_no_grain() -> None:
    weeks, months = Partitions(date(2026, 1, 5), "week"), Partitions(date(2026, 1, 1), "month")
    assert [day for day in range(1, 15) if weeks.has(date(2026, 2, day))] == [2, 9]
    assert [day for day in range(1, 15) if months.has(date(2026, 2, day))] == [1]
    assert Partitions(date(2026, 1, 5), None).has(date(2026, 2, 3))
