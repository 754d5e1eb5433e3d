import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orgdata_dagster.warehouse.names import OWN_PREFIX, VARIANT, TableName, folded, literal, quoted
from orgdata_dagster.warehouse.pages.column_names import ColumnNames, of_header
from orgdata_dagster_tests.warehouse.rig import Rig


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        (["id", "Name", "e-mail"], ["id", "Name", "e-mail"]),
        (["id", "id", "id"], ["id", "id_2", "id_3"]),
        (["id", "id", "id_2"], ["id", "id_3", "id_2"]),
        (["Id", "id", "ID"], ["Id", "id_2", "ID_3"]),
        (["", "b", " "], ["column_1", "b", "column_3"]),
        ([" id "], ["id"]),
        (["_orgdata_partition", "_ORGDATA_x"], ["x_orgdata_partition", "x_ORGDATA_x"]),
        (["score", "score__v_text"], ["score", "score__v_text_"]),
        (["rowid", "RowId"], ["rowid_", "RowId__2"]),
    ],
)
def test_every_header_gets_a_readable_name(header: list[str], columns: list[str]) -> None:
    assert list(ColumnNames().assign(of_header(header)).columns) == columns


HEADER = st.lists(
    st.one_of(st.text(max_size=4), st.sampled_from(["id", "ID", "id_2", "", "column_1", "_orgdata_run_id", "rowid"])),
    max_size=8,
)


@given(HEADER)
def test_names_are_unique_and_not_reserved(header: list[str]) -> None:
    names = ColumnNames().assign(of_header(header)).columns
    assert len({folded(name) for name in names}) == len(header)
    assert not any(folded(name).startswith(OWN_PREFIX) or folded(name).endswith(VARIANT) for name in names)
    assert all(name.strip() for name in names)


def test_quoting() -> None:
    assert quoted('a"b') == '"a""b"'
    assert literal("it's") == "'it''s'"
    assert TableName("acme", "users").view("current").sql == '"acme"."users_current"'


@pytest.mark.parametrize(
    "header",
    [
        "id,ID,id",
        ",b,",
        '"a""b","it\'s",a.b',
        "_orgdata_partition,_orgdata_run_id",
        "rowid,score__v_text",
        "select,from",
    ],
)
def test_unusual_headers_can_be_stored(rig: Rig, header: str) -> None:
    row = ",".join(str(number) for number in range(header.count(",") + 1))
    rig.land(f"{header}\n{row}\n")
    assert rig.texts() == [tuple(row.split(","))]


def test_a_vendor_can_use_the_names_in_our_sql(rig: Rig) -> None:
    """`path` and `after` were once ambiguous, because the commit joins the rows with its own table."""
    rig.land("path,after,until,partition_key,page,place,stored,brought,_orgdata_file\n1,2,3,4,5,6,7,8,9\n")
    assert rig.texts() == [tuple("123456789")]


ODD = "KkſSsİIıiÉéßẞΣσς\u212a"
NAME = st.text(st.characters(exclude_characters="\0", codec="utf-8") | st.sampled_from(ODD), min_size=1, max_size=3)


@settings(max_examples=200, deadline=None)
@given(one=NAME, other=NAME)
def test_two_names_are_equal_exactly_if_they_are_equal_for_the_database(shared: Rig, one: str, other: str) -> None:
    for first, second in ((one, other), (one, one.swapcase()), (one, one.lower()), (one, one.upper())):
        try:
            shared.connection.execute(f"CREATE OR REPLACE TEMP TABLE t ({quoted(first)} INT, {quoted(second)} INT)")
        except duckdb.CatalogException:
            assert folded(first) == folded(second)
        else:
            assert folded(first) != folded(second)


@pytest.mark.parametrize("body", ["id,école\n2,b\n", "id,ÉCOLE\n2,b\n", "ID,École\n2,b\n"])
def test_a_name_in_another_case_is_the_same_column(rig: Rig, body: str) -> None:
    """This once failed with a Binder Error, because Python folds the case of more characters than the database."""
    rig.land("id,École\n1,a\n", declared={"école": "VARCHAR"})
    rig.land(body, partition="2026-03-02", declared={"école": "VARCHAR"})
    first, second = rig.texts("id")
    assert first[:2] == ("1", "a")
    assert "b" in second
