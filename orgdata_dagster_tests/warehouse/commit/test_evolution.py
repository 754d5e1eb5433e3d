"""Tables follow the columns that the vendor sends. No stored value changes."""

from dataclasses import replace

import pytest

from orgdata_dagster.warehouse.errors import ContractViolation
from orgdata_dagster_tests.warehouse.rig import ITEMS, Rig

NEXT = "2026-03-02"
FROZEN = replace(ITEMS, contract="freeze")


def changes(rig: Rig, body: str, partition: str = NEXT) -> list[str]:
    return [str(change) for change in rig.land(body, partition=partition).changes]


def test_a_new_column_is_missing_in_older_rows(rig: Rig) -> None:
    rig.land("id\n1\n")
    assert changes(rig, "id,name\n2,x\n") == ["name: added (VARCHAR)"]
    assert rig.texts("id") == [("1", None), ("2", "x")]


WIDENINGS = [
    ("1", "1.5", "BIGINT", "VARCHAR"),
    ("1.5", "1.25", "DECIMAL(18,1)", "DOUBLE"),
    ("10.00", "1234567890123456789012345678.25", "DECIMAL(18,2)", "DECIMAL(38,2)"),
    ("7", "007", "BIGINT", "VARCHAR"),
    ("9007199254740993", "x", "BIGINT", "VARCHAR"),
    ("true", "yes", "BOOLEAN", "VARCHAR"),
    ("2026-03-01", "n/a", "DATE", "VARCHAR"),
    ("2026-03-01", "2026-03-01T10:00:00", "DATE", "VARCHAR"),
    ("2.50", "x", "DECIMAL(18,2)", "VARCHAR"),
]


def test_values_that_do_not_fit_widen_the_column(rig: Rig) -> None:
    header = ",".join(["n", *(f"c{at}" for at in range(len(WIDENINGS)))])
    first, second, before, after = (list(column) for column in zip(*WIDENINGS, strict=True))
    rig.land(f"{header}\n1,{','.join(first)}\n")
    assert list(rig.types().values())[1:] == before
    noted = changes(rig, f"{header}\n2,{','.join(second)}\n")
    assert noted == [f"c{at}: widened ({old} -> {new})" for at, (_, _, old, new) in enumerate(WIDENINGS)]
    assert list(rig.types().values())[1:] == after
    assert rig.texts("n") == [("1", *first), ("2", *second)]


def test_an_instant_widened_to_text_keeps_its_microseconds(rig: Rig) -> None:
    rig.land("n,at\n1,2026-03-01T12:00:00.000001+02:00\n")
    changes(rig, "n,at\n2,never\n")
    assert rig.texts("n") == [("1", "2026-03-01T10:00:00.000001Z"), ("2", "never")]


def test_a_column_filled_only_later_gets_its_type_then(rig: Rig) -> None:
    rig.land("n,score\n1,\n")
    assert changes(rig, "n,score\n2,10.00\n") == ["score: widened (VARCHAR -> DECIMAL(18,2))"]
    assert rig.texts("n") == [("1", None), ("2", "10.00")]


def test_a_text_column_stays_text(rig: Rig) -> None:
    rig.land("n,code\n1,007\n")
    assert changes(rig, "n,code\n2,8\n") == []
    assert rig.texts("n") == [("1", "007"), ("2", "8")]


def test_widening_is_recorded_once(rig: Rig) -> None:
    rig.land("id\n1\n")
    assert changes(rig, "id\nx\n") != []
    assert changes(rig, "id\ny\n", "2026-03-03") == []
    recorded = "SELECT column_name, change, type_before, type_after FROM _orgdata.schema_changes"
    assert rig.sql(recorded) == [("id", "widened", "BIGINT", "VARCHAR")]


def test_a_column_that_disappears_is_missing_and_recorded_once(rig: Rig) -> None:
    rig.land("id,name\n1,x\n")
    assert changes(rig, "id\n2\n") == ["name: missing (VARCHAR)"]
    assert changes(rig, "id\n3\n", "2026-03-03") == []
    assert changes(rig, "id,name\n4,y\n", "2026-03-04") == []
    assert changes(rig, "id\n5\n", "2026-03-05") == ["name: missing (VARCHAR)"]
    assert rig.texts("id") == [("1", "x"), ("2", None), ("3", None), ("4", "y"), ("5", None)]


@pytest.mark.parametrize("empty", ["", "id\n"])
def test_an_empty_page_does_not_mark_columns_as_missing(rig: Rig, empty: str) -> None:
    rig.land("id,name\n1,x\n")
    assert changes(rig, empty) == []


def test_pages_of_one_load_may_differ_in_columns_order_and_case(rig: Rig) -> None:
    rig.land("id,name\n1,a\n", "name,id\nb,2\n", "ID,extra\n3,x\n", 'Name,id\n"",4\n')
    assert rig.types() == {"id": "BIGINT", "name": "VARCHAR", "extra": "VARCHAR"}
    assert rig.texts("id") == [("1", "a", None), ("2", "b", None), ("3", None, "x"), ("4", "", None)]


def test_the_table_keeps_the_first_spelling_of_a_column(rig: Rig) -> None:
    rig.land("Id\n1\n")
    assert changes(rig, "ID\nx\n") == ["Id: widened (BIGINT -> VARCHAR)"]
    assert rig.texts("id") == [("1",), ("x",)]


def test_a_header_without_rows_creates_a_table(rig: Rig) -> None:
    rig.land("id,name\n")
    assert rig.types() == {"id": "VARCHAR", "name": "VARCHAR"}
    assert changes(rig, "id,name\n1,x\n") == ["id: widened (VARCHAR -> BIGINT)"]


def test_an_empty_body_creates_a_table_too(rig: Rig) -> None:
    rig.land("")
    assert rig.sql("SELECT count(*) FROM acme.items") == [(0,)]
    rig.land("id\n1\n")
    assert rig.texts() == [("1",)]


@pytest.mark.parametrize(
    ("body", "column", "data_type", "sample"),
    [
        ("id,name\n8,x\n9,y\n", "name", "VARCHAR", '"id": "8"'),
        ("id\n8\nx9\n", "id", "BIGINT -> VARCHAR", '"id": "x9"'),
    ],
)
def test_a_frozen_table_refuses_changes(rig: Rig, body: str, column: str, data_type: str, sample: str) -> None:
    rig.land("id\n1\n2\n", target=FROZEN, run_id="first")
    with pytest.raises(ContractViolation) as refused:
        rig.land(body, target=FROZEN, run_id="second")
    message = str(refused.value)
    assert "acme.items" in message
    assert f"{column}: " in message
    assert data_type in message
    assert sample in message
    assert rig.texts() == [("1",), ("2",)]
    assert rig.types() == {"id": "BIGINT"}
    assert rig.sql("SELECT run_id FROM _orgdata.loads") == [("first",)]


@pytest.mark.parametrize("body", ["id,name\n3,z\n", "id\n3\n", "name,id\nz,3\n"])
def test_a_frozen_table_accepts_fitting_values_and_missing_columns(rig: Rig, body: str) -> None:
    rig.land("id,name\n1,x\n", target=FROZEN)
    rig.land(body, target=FROZEN)
    assert [row[0] for row in rig.texts()] == ["3"]


def test_a_frozen_table_gets_its_declared_types(rig: Rig) -> None:
    rig.land("id,score\n1,7\n", target=FROZEN, declared={"score": "DOUBLE"})
    rig.land("id,score\n2,8.25\n", target=FROZEN, declared={"score": "DOUBLE"})
    assert rig.texts() == [("2", "8.25")]
