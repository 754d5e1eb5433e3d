"""The Python and SQL of docs/bi_tools.md work as they are written; only paths are replaced."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from orgdata_dagster.warehouse.commit.target import Target
from orgdata_dagster.warehouse.export import export
from orgdata_dagster.warehouse.names import TableName
from orgdata_dagster.warehouse.storage import extensions
from orgdata_dagster.warehouse.storage.connection import Warehouse
from orgdata_dagster_tests import warehouses
from orgdata_dagster_tests.warehouse.rig import Rig

PAGE = (Path(__file__).parent.parent / "docs" / "bi_tools.md").read_text()
PYTHON = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
SQL = re.findall(r"^```sql\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
TABLES = """
CREATE SCHEMA institution_analytics;
CREATE SCHEMA octolis;
CREATE TABLE institution_analytics.users AS
    SELECT '7' AS id, '2026-11-01' AS _orgdata_partition, now() AS _orgdata_loaded_at;
CREATE TABLE octolis.contacts AS SELECT 'a@b' AS email, NULL AS _orgdata_partition, now() AS _orgdata_loaded_at;
CREATE VIEW institution_analytics.users_current AS SELECT id FROM institution_analytics.users;
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "warehouse.duckdb"
    with duckdb.connect(path) as connection:
        connection.execute(TABLES)
    return path


@pytest.mark.parametrize("number", range(len(PYTHON)))
def test_python(file: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    monkeypatch.setenv("ORGDATA_WAREHOUSE", str(file))
    found: dict[str, pd.DataFrame] = {}
    exec(PYTHON[number].replace("/srv/mine/.orgdata/warehouse.duckdb", str(file)), found)
    assert list(found["users"]["id"]) == ["7"]


def test_sql_on_exported_files(file: Path, tmp_path: Path) -> None:
    for table in ("institution_analytics.users", "octolis.contacts"):
        export(Warehouse(str(file), scratch=tmp_path), TableName(*table.split(".")), str(tmp_path / "parquet"))
    text = next(block for block in SQL if "read_parquet" in block)
    statements = duckdb.extract_statements(text.replace("/data/parquet", str(tmp_path / "parquet")))
    assert [len(duckdb.execute(each).fetchall()) for each in statements] == [1, 1]


def test_sql_on_a_lake(tmp_path: Path) -> None:
    """A DuckDB without orgdata reads its table and view; the catalog is SQLite instead of PostgreSQL."""
    warehouses.need_lakes()
    uri = warehouses.location(tmp_path, warehouses.SQLITE)
    with Warehouse("", scratch=tmp_path / "scratch").scratch_connection() as connection:
        contacts = Target(TableName("octolis", "contacts"), key=("email",), write_disposition="merge")
        Rig(tmp_path, connection, uri).land("email\na@b\n", target=contacts)
    (text,) = (block for block in SQL if "ducklake" in block)
    catalog, _, _ = uri.partition("?")
    attach, select = text.replace("ducklake:postgres:dbname=lake host=db user=reader", catalog).split(";\n", 1)
    with duckdb.connect() as foreign:
        extensions.load(foreign, ("ducklake", "sqlite_scanner"), why="the test")
        foreign.execute(attach)
        assert foreign.execute(select).fetchall() == [(1,)]
