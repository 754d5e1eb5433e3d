"""`orgdata query`: which statements are allowed, that no format loses a value, and errors of one line."""

from __future__ import annotations

import csv
import io
import json
import threading
import time
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from rich.console import Console

from orgdata_dagster.cli.errors import UserError
from orgdata_dagster.cli.query import formats, result_of, table
from orgdata_dagster.warehouse.storage.connection import Warehouse

AWKWARD = """
SELECT 170141183460469231731687303715884105727::HUGEINT AS huge, 9007199254740993 AS big,
    12345678901234567890.123456789012345678::DECIMAL(38, 18) AS exact, '' AS empty, NULL AS nothing, 'NULL' AS word,
    TIMESTAMPTZ '2026-01-01 00:00:00.123456+00' AS at, TIMESTAMP_NS '2026-01-01 00:00:00.123456789' AS nano,
    [1.10::DECIMAL(4, 2)] AS list, {'a': TIMESTAMP '2026-01-01', 'b': 'x'} AS pair, 'nan'::DOUBLE AS nan,
    1.1::FLOAT AS f,
    '\\xAA'::BLOB AS bytes, E'two\nlines \x1b[31m' AS text, 1 AS twice, 2 AS twice
"""


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    made = Warehouse(str(tmp_path / "warehouse.duckdb"), scratch=tmp_path / "scratch", patience=10)
    with made.writing() as connection:
        connection.execute("CREATE SCHEMA acme; CREATE TABLE acme.items AS SELECT range AS id FROM range(3)")
    return made


def test_json_keeps_every_value(warehouse: Warehouse) -> None:
    with result_of(AWKWARD, warehouse) as result:
        (row,) = json.loads("".join(formats.json_text(result)))
    assert row["huge"] == 2**127 - 1
    assert row["big"] == 9007199254740993
    assert row["exact"] == "12345678901234567890.123456789012345678"
    assert (row["empty"], row["nothing"], row["word"]) == ("", None, "NULL")
    assert row["at"] == "2026-01-01T00:00:00.123456+00:00"
    assert row["nano"] == "2026-01-01T00:00:00.123456789"
    assert row["list"] == ["1.10"]
    assert row["pair"] == {"a": "2026-01-01T00:00:00", "b": "x"}
    assert (row["nan"], row["f"], row["bytes"]) == ("NaN", 1.1, "\\xAA")
    assert (row["twice"], row["twice_1"]) == (1, 2)


def test_csv_distinguishes_null_from_an_empty_text(warehouse: Warehouse) -> None:
    out = io.BytesIO()
    with result_of("SELECT '' AS a, NULL AS b, 2::HUGEINT ** 0 AS c", warehouse) as result:
        formats.write_csv(result, out)
    assert out.getvalue() == b'a,b,c\n"",,1.0\n'
    out = io.BytesIO()
    with result_of(AWKWARD, warehouse) as result:
        formats.write_csv(result, out)
    (row,) = csv.DictReader(io.StringIO(out.getvalue().decode()))
    assert (row["huge"], row["exact"]) == (str(2**127 - 1), "12345678901234567890.123456789012345678")


def test_parquet_keeps_what_its_types_would_change(warehouse: Warehouse, tmp_path: Path) -> None:
    file = tmp_path / "result.parquet"
    with result_of(f"SELECT * EXCLUDE nothing, sum(big) OVER () AS total FROM ({AWKWARD})", warehouse) as result:
        formats.write_parquet(result, file)
    found = duckdb.connect().execute(f"SELECT huge, total, exact, empty, nano::VARCHAR FROM '{file}'").fetchall()
    exact = Decimal("12345678901234567890.123456789012345678")
    assert found == [(str(2**127 - 1), Decimal(9007199254740993), exact, "", "2026-01-01 00:00:00.123456789")]
    with result_of("SELECT 1", warehouse) as result, pytest.raises(UserError, match="--parquet: cannot write /no"):
        formats.write_parquet(result, Path("/nowhere/result.parquet"))
    assert [path.name for path in tmp_path.glob("*parquet*")] == ["result.parquet"]


def test_a_terminal_shows_null_apart_from_texts_and_no_control_characters(warehouse: Warehouse) -> None:
    console = Console(file=io.StringIO(), width=80, force_terminal=True, color_system=None)
    with result_of(AWKWARD, warehouse) as result:
        table.show(console, result)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "\x1b" not in text
    assert "two\\nlines \\x1b[31m" in text
    shown = dict(line.split(None, 1) for line in text.splitlines() if len(line.split(None, 1)) == 2)
    assert (shown["nothing"], shown["word"]) == ("NULL", '"NULL"')
    assert shown["huge"] == str(2**127 - 1)


def test_rows_keep_their_order_and_all_rows_are_counted(warehouse: Warehouse) -> None:
    console = Console(file=io.StringIO(), width=80)
    warehouse.threads = 4  # several write the copy of the result at once
    with result_of(
        "SELECT range * 3 AS n FROM range(1000000) WHERE range % 2 = 0 ORDER BY n DESC", warehouse
    ) as result:
        numbers = [row["n"] for row in formats.rows_of(result)]
        table.show(console, result)
    assert len(numbers) == 500_000
    assert numbers == sorted(numbers, reverse=True)
    assert "(500,000 rows, of which 500 are shown" in console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM acme.items; -- a comment",
        "FROM acme.items",
        "DESCRIBE acme.items",
        "SHOW ALL TABLES",
        "EXPLAIN SELECT 1",
        "PIVOT acme.items ON id USING count(*)",
        "SELECT 'é;' AS \"ü\" ; ;",
        "PRAGMA table_info('acme.items')",
        "WITH one AS (SELECT 1) SELECT * FROM one",
    ],
)
def test_every_statement_that_only_reads_is_allowed(warehouse: Warehouse, sql: str) -> None:
    with result_of(sql, warehouse) as result:
        assert result.rows


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("selec 1", 'syntax error at or near "selec" (line 1, column 1)'),
        ("select 1 +\nfrom acme.items where", "(line 2, "),
        ("select\n  x from acme.items", 'Referenced column "x" not found'),
        ("select\n  x from acme.items", "(line 2, column 3)"),
        ("select * from acme.item", 'Did you mean "items"? (line 1, column 15)'),
        ("select 'x'::INT", "Could not convert string 'x' to INT32"),
        ("select warehouse", 'Referenced column "warehouse" was not found'),
        ("from connection", "Table with name connection does not exist"),
        ("drop table acme.items", "DROP is not allowed: the warehouse is read-only here"),
        ("insert into acme.items values (9)", "INSERT is not allowed"),
        ("copy acme.items to '/tmp/items.csv'", "use --csv, --json or --parquet FILE"),
        ("attach 'x.duckdb'", "ATTACH is not allowed"),
        ("pragma enable_profiling", "PRAGMA is not allowed"),
        ("select 1; pivot acme.items on id using count(*)", "these are "),
        ("select 1; select 2", "these are 2 statements"),
        (" -- nothing", "there is no statement"),
    ],
)
def test_an_error_of_a_statement_is_one_line(warehouse: Warehouse, sql: str, words: str) -> None:
    with pytest.raises(UserError) as error, result_of(sql, warehouse):
        pass
    assert words in str(error.value)
    assert "\n" not in str(error.value)
    with warehouse.reading() as connection:
        assert connection.execute("SELECT count(*) FROM acme.items").fetchone() == (3,)


def test_a_query_waits_for_a_writer_and_keeps_no_writer_waiting(warehouse: Warehouse) -> None:
    begun, order = threading.Event(), []

    def write() -> None:
        with Warehouse(warehouse.uri, scratch=warehouse.scratch).writing() as connection:
            begun.set()
            time.sleep(0.2)
            connection.execute("INSERT INTO acme.items VALUES (3)")
            order.append("written")

    writer = threading.Thread(target=write)
    writer.start()
    begun.wait(5)
    with result_of("SELECT count(*) FROM acme.items", warehouse) as result:
        order.append("read")
        assert list(formats.rows_of(result)) == [{"count_star()": 4}]
        with Warehouse(warehouse.uri, scratch=warehouse.scratch, patience=0).writing() as connection:
            connection.execute("INSERT INTO acme.items VALUES (4)")  # while the result is still being read
    writer.join()
    assert order == ["written", "read"]
