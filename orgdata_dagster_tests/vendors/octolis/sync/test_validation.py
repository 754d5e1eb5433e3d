"""Values that pass the validation are those that octolis accepts: any value of any type, through the database, to the
sandbox.

Here: single values and whole payloads. Keep out: whole syncs (test_sync.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orgdata_dagster.sandbox.octolis import Column, Dataset, Problem
from orgdata_dagster.vendors.octolis.sync.validation import FORMATS, Type
from orgdata_dagster.writeback.columns import ColumnMapping, checked, columns
from orgdata_dagster_tests.examples import examples

INT = st.integers(-(2**63), 2**63 - 1) | st.integers(-(2**31) - 2, -(2**31) + 2) | st.integers(2**31 - 3, 2**31 + 2)
TIMES = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31))
VALUES: dict[str, tuple[Type, st.SearchStrategy[Any]]] = {
    "BIGINT": ("integer", INT),
    "DOUBLE": ("float", st.floats() | st.integers(-99999, 99999).map(lambda n: n / 64) | INT.map(float)),
    "FLOAT": ("float", st.floats(width=32) | st.integers(-9999, 9999).map(lambda n: n / 8)),
    "DECIMAL(20,6)": ("float", st.decimals(-(10**13), 10**13, places=6) | st.decimals(-99, 99, places=3)),
    "DECIMAL(12,0)": ("integer", st.decimals(-(10**11), 10**11, places=0)),
    "BOOLEAN": ("boolean", st.booleans()),
    "TIMESTAMP": ("timestamp", TIMES | TIMES.map(lambda at: at.replace(microsecond=0)) | st.just("infinity")),
    "TIMESTAMP WITH TIME ZONE": ("timestamp", TIMES.map(lambda at: at.replace(microsecond=0, tzinfo=UTC))),
    "DATE": ("timestamp", st.dates() | st.sampled_from(["infinity", "0044-03-15 (BC)", "20000-01-01"])),
    "VARCHAR": ("text", st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))),
    "VARCHAR[]": ("list", st.lists(st.none() | st.sampled_from(["", "a", 'q"']), max_size=2)),
    "UUID": ("text", st.uuids().map(str)),
}  # fmt: skip


@pytest.fixture(scope="module")
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


def taken_by_octolis(type_: Type, payload: dict[str, Any]) -> bool:
    dataset = Dataset("d", [Column("id"), Column("v", type_)], [("id",)])
    try:
        dataset.upsert(json.loads(json.dumps(payload, allow_nan=False)))
    except Problem:
        return False
    return True


@settings(max_examples=examples(80))
@given(st.data())
def test_what_passes_is_accepted_and_what_does_not_would_be_refused(
    database: duckdb.DuckDBPyConnection, data: st.DataObject
) -> None:
    kind = data.draw(st.sampled_from(sorted(VALUES)))
    type_, values = VALUES[kind]
    value = data.draw(values)
    found, problems = columns({"id": "VARCHAR", "v": kind}, ColumnMapping(("id",)), FORMATS)
    assert (problems, [column.type for column in found]) == ([], ["text", type_])
    select = ", ".join(column.expression for column in found)
    (row,) = database.execute(f"SELECT {select} FROM (SELECT 'k' AS id, CAST(? AS {kind}) AS v)", [value]).fetchall()
    payload, problems = checked(row, found, FORMATS)
    if not problems:
        assert taken_by_octolis(type_, payload)
        assert same(value, payload.get("v"), kind)
    elif type_ in ("integer", "float") and not is_infinite(value):
        assert not taken_by_octolis(type_, {"id": "k", "v": float(value) if type_ == "float" else int(value)})


def same(value: Any, sent: Any, kind: str) -> bool:
    """Check that no value is changed on its way."""
    if isinstance(value, datetime):
        return bool(datetime.fromisoformat(sent) == value.replace(tzinfo=None))
    if isinstance(value, date):
        return bool(sent == f"{value.isoformat()} 00:00:00")
    if isinstance(value, Decimal):
        return Decimal(str(sent)) == value
    return bool(sent == value) or kind == "FLOAT"  # its shortest text is meant, not its expansion as a double


def is_infinite(value: Any) -> bool:
    return not Decimal(value).is_finite()


@pytest.mark.parametrize(
    ("type_", "good", "bad"),
    [
        ("timestamp", "1978-06-23 00:00:00", "1978-06-23"),
        ("timestamp", "2024-02-29 23:59:59", "2023-02-29 23:59:59"),
        ("timestamp", "1978-06-23 00:00:00", "1978-06-23T00:00:00"),
        ("timestamp", "1978-06-23 00:00:00", "1978-06-23 00:00:00.5"),
        ("boolean", True, "true"),
        ("boolean", False, 0),
        ("integer", 2**31 - 1, 2**31 + 5),
        ("integer", -(2**31), -(2**31) - 1),
        ("integer", 3.0, 3.5),
        ("float", 123.456, 1234.567),
        ("float", 0.000001, 0.1 + 0.2),
        ("text", "25", 25),
        ("list", ["a"], ["a", None]),
    ],
)  # fmt: skip
def test_a_declared_type_is_octolis_own_whatever_the_source_says(type_: Type, good: Any, bad: Any) -> None:
    fields = ColumnMapping(("id",), types={"v": type_})
    found, _ = columns({"id": "VARCHAR", "v": "VARCHAR"}, fields, FORMATS)
    assert checked(("k", good), found, FORMATS) == ({"id": "k", "v": good}, [])
    payload, problems = checked(("k", bad), found, FORMATS)
    assert (payload, len(problems)) == ({"id": "k"}, 1)
    assert str(bad) not in problems[0]
    assert taken_by_octolis(type_, {"id": "k", "v": good})
    assert not taken_by_octolis(type_, {"id": "k", "v": bad})


def test_every_problem_of_a_row_is_reported() -> None:
    fields = ColumnMapping(("a", "b"), mapping={"x": "b"}, erase_nulls=frozenset({"b"}))
    found, problems = columns(
        {"a": "VARCHAR", "x": "VARCHAR", "n": "BIGINT", "f": "DOUBLE", "_orgdata_x": "JSON"}, fields, FORMATS
    )
    assert (problems, [column.name for column in found]) == ([], ["a", "b", "n", "f"])
    _, problems = checked((None, None, 2**40, 1.23456789), found, FORMATS)
    assert [problem.partition(":")[0] for problem in problems] == ["a", "n", "f"]
    assert checked(("k", None, None, None), found, FORMATS) == ({"a": "k", "b": None}, [])
    every, _ = columns(
        {"a": "VARCHAR", "b": "VARCHAR"}, ColumnMapping(("a", "b"), erase_nulls=frozenset({"a", "b"})), FORMATS
    )
    assert checked((None, None), every, FORMATS)[1] == ["a, b: the whole key is empty"]


def test_the_sources_names_are_found_in_any_case_and_the_nearest_is_named() -> None:
    described = {"Email": "VARCHAR", "First": "VARCHAR", "_orgdata_run_id": "VARCHAR"}
    found, problems = columns(described, ColumnMapping(key=("mail",), mapping={"EMAIL": "mail"}), FORMATS)
    assert [(column.source, column.name) for column in found] == [("Email", "mail"), ("First", "First")]
    assert problems == []
    fields = ColumnMapping(
        key=("mial",), mapping={"emial": "mail"}, types={"frist": "text"}, erase_nulls=frozenset({"x"})
    )
    assert columns(described, fields, FORMATS)[1] == [
        "mapping: there is no column 'emial'; did you mean 'Email'? There are Email, First",
        "key: there is no column 'mial'; did you mean 'Email'? There are Email, First",
        "erase_nulls: there is no column 'x'; there are Email, First",
        "types: there is no column 'frist'; did you mean 'First'? There are Email, First",
    ]
    twice = ColumnMapping(key=("b",), mapping={"email": "mail", "EMAIL": "b"})
    assert columns(described, twice, FORMATS)[1] == ["mapping: a column of the source is named more than once"]
