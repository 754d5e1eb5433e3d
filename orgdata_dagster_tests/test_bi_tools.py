"""The Python and SQL of docs/bi_tools.md works as it is written there; only paths are replaced."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from orgdata_dagster.warehouse.export import export
from orgdata_dagster.warehouse.names import TableName
from orgdata_dagster.warehouse.storage.connection import Warehouse

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


def test_sql_on_a_lake_parses() -> None:
    """That a reader attaches a lake is tested in warehouse/storage/test_lake.py."""
    (text,) = (block for block in SQL if "ducklake" in block)
    assert len(duckdb.extract_statements(text)) == 2
