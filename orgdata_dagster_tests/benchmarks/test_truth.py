"""The comparison of `make soak` and `make bench` sees every kind of wrong row, and invents none."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pytest

from benchmarks.outside.truth import Difference, Table, compare

ROWS: list[dict[str, str | None]] = [
    {"id": "1", "name": "one", "changed": "2026-03-01T10:00:00Z", "flag": "TRUE", "n": "007"},
    {"id": "2", "name": "", "changed": "2026-03-01T10:00:00.250Z", "flag": None, "n": "1.10"},
    {"id": "3", "name": None, "changed": "2026-03-02T00:00:00Z", "flag": "false", "n": None},
]
TABLE = Table("vendor.things", list(ROWS[0]), ["id"], "changed", "things.jsonl")
DAYS = ["2026-03-01", "2026-03-02"]


def stored(folder: Path, *changes: str, covered: Sequence[str] = DAYS, incomplete: Sequence[str] = ()) -> Path:
    """A warehouse as orgdata writes it, then changed by these statements."""
    file = folder / "warehouse.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute(
            "SET TimeZone = 'UTC'; CREATE SCHEMA vendor; CREATE SCHEMA _orgdata;"
            "CREATE TABLE vendor.things (id BIGINT, name VARCHAR, changed TIMESTAMPTZ, flag BOOLEAN, n DOUBLE,"
            " n__v_text VARCHAR, _orgdata_partition VARCHAR);"
            "INSERT INTO vendor.things VALUES (1, 'one', '2026-03-01T10:00:00Z', true, NULL, '007', '2026-03-01'),"
            "(2, '', '2026-03-01T10:00:00.25Z', NULL, NULL, '1.10', '2026-03-01'),"
            "(3, NULL, '2026-03-02T00:00:00Z', false, NULL, NULL, '2026-03-02');"
            "CREATE TABLE _orgdata.coverage (schema_name VARCHAR, table_name VARCHAR, partition_key VARCHAR,"
            " from_instant TIMESTAMPTZ, to_instant TIMESTAMPTZ, complete BOOLEAN)"
        )
        for day in [*covered, *incomplete]:
            connection.execute(
                "INSERT INTO _orgdata.coverage VALUES ('vendor', 'things', ?, ?, CAST(? AS TIMESTAMPTZ) + "
                "INTERVAL 1 DAY, ?)",
                [day, f"{day}T00:00:00Z", f"{day}T00:00:00Z", day in covered],
            )
        for statement in changes:
            connection.execute(statement)
    return file


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    (tmp_path / "things.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return tmp_path


def difference(warehouse: Path, folder: Path, table: Table = TABLE, *, ended_well: bool = True) -> Difference:
    return compare(warehouse, [table], folder, ended_well=ended_well)[table.name]


def test_equal_tables_are_equal_whatever_their_types(truth: Path) -> None:
    assert difference(stored(truth), truth) == Difference(truth=3)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("DELETE FROM vendor.things WHERE id = 2", Difference(3, lost=1)),
        ("INSERT INTO vendor.things FROM vendor.things WHERE id = 2", Difference(3, duplicated=1)),
        ("UPDATE vendor.things SET name = NULL WHERE id = 2", Difference(3, altered=1)),
        ("UPDATE vendor.things SET name = '' WHERE id = 3", Difference(3, altered=1)),
        ("UPDATE vendor.things SET n = 7, n__v_text = NULL WHERE id = 1", Difference(3, altered=1)),
        ("UPDATE vendor.things SET changed = changed + INTERVAL 1 MICROSECOND WHERE id = 1", Difference(3, altered=1)),
        ("UPDATE vendor.things SET id = 9 WHERE id = 1", Difference(3, lost=1, altered=1)),
        ("ALTER TABLE vendor.things DROP COLUMN flag", Difference(3, altered=2)),
        ("DROP TABLE vendor.things", Difference(3, lost=3)),
    ],
)
def test_a_wrong_row_is_seen(truth: Path, change: str, expected: Difference) -> None:
    assert difference(stored(truth, change), truth) == expected


def test_a_row_that_nobody_claims_is_missing_and_not_lost(truth: Path) -> None:
    gone = "DELETE FROM vendor.things WHERE id <> 2"
    found = difference(stored(truth, gone, covered=DAYS[:1], incomplete=DAYS[1:]), truth, ended_well=False)
    assert found == Difference(3, lost=1, missing=1, incomplete=("2026-03-02",))


def test_a_command_that_ended_well_claims_what_the_ledger_does_not_speak_of(truth: Path) -> None:
    gone = "DELETE FROM vendor.things WHERE id = 3"
    warehouse = stored(truth, gone, covered=DAYS[:1])
    assert difference(warehouse, truth, ended_well=True) == Difference(3, lost=1)
    assert difference(warehouse, truth, ended_well=False) == Difference(3, missing=1)


def test_without_a_warehouse_everything_is_missing(truth: Path) -> None:
    assert difference(truth / "none", truth, ended_well=False) == Difference(3, missing=3)
    assert difference(truth / "none", truth, ended_well=True) == Difference(3, lost=3)


def test_without_a_key_rows_are_counted(truth: Path) -> None:
    table = Table(TABLE.name, TABLE.columns, (), TABLE.cursor, TABLE.file)
    twice = "INSERT INTO vendor.things FROM vendor.things WHERE id = 2"
    assert difference(stored(truth, twice), truth, table) == Difference(3, duplicated=1)


def test_json_values_are_compared_as_values(tmp_path: Path) -> None:
    rows = [{"id": 1, "ratio": 2, "tags": ["a", "b"], "more": {"x": [1, None]}, "text": "null", "gone": None}]
    (tmp_path / "json.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    table = Table("vendor.json", list(rows[0]), ["id"], None, "json.jsonl")
    warehouse = stored(
        tmp_path,
        "CREATE TABLE vendor.json AS SELECT 1::BIGINT AS id, 2.0::DOUBLE AS ratio, ['a', 'b'] AS tags, "
        "'{\"x\":[1,null]}'::JSON AS more, 'null' AS text, NULL::VARCHAR AS gone",
    )
    assert difference(warehouse, tmp_path, table) == Difference(truth=1)
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("UPDATE vendor.json SET text = NULL")
    assert difference(warehouse, tmp_path, table).altered == 1


def test_a_csv_is_a_truth_too(tmp_path: Path) -> None:
    (tmp_path / "things.csv").write_text("id,name\n1,one\n2,\n")
    warehouse = stored(tmp_path, "CREATE TABLE vendor.csv AS SELECT 1 AS id, 'one' AS name UNION ALL SELECT 2, NULL")
    table = Table("vendor.csv", ["id", "name"], ["id"], None, "things.csv")
    assert difference(warehouse, tmp_path, table) == Difference(truth=2)
