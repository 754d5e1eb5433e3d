"""A configured column name is found in any case. For an unknown name, nothing is stored and a similar name is shown."""

from dataclasses import replace

import pytest

from orgdata_dagster.warehouse.commit.target import Target, WriteDisposition
from orgdata_dagster.warehouse.errors import KeysViolated, Refused, UnknownColumns, UnreadablePage
from orgdata_dagster.warehouse.names import TableName
from orgdata_dagster_tests.warehouse.rig import ITEMS, Rig

DATED = Target(
    TableName("acme", "dated"), key=("id",), cursor="updated_date",
    configured={"key": ["id"], "cursor_column": ["updated_date"]},
)  # fmt: skip
T = "2026-03-01T10:00:00Z"


def test_a_key_in_another_case_is_the_key(rig: Rig) -> None:
    """Duplicates and a row without a key landed once, without the view `dated_current`, and the check `keys` passed."""
    with pytest.raises(KeysViolated, match="1 rows have no value of the key ID, and 1 have one that another row has"):
        rig.land(f"ID,updated_date,v\n1,{T},a\n1,{T},b\n,{T},x\n", target=DATED)
    rig.land(f"ID,Updated_Date,v\n1,{T},a\n2,{T},b\n", target=DATED)
    assert rig.sql("SELECT id, v FROM acme.dated_current ORDER BY id") == [(1, "a"), (2, "b")]


def test_the_key_of_a_merge_in_another_case(rig: Rig) -> None:
    target = replace(ITEMS, key=("ID",), write_disposition="merge", configured={"key": ["ID"]})
    rig.land("id,v\n1,a\n2,b\n", target=target)
    rig.land("Id,v\n1,c\n", target=target)
    assert rig.texts("id") == [("1", "c"), ("2", "b")]


@pytest.mark.parametrize(
    ("field", "name", "meant"),
    [
        ("key", "idd", "id"),
        ("columns", "scoer", "score"),
        ("column_descriptions", "Scorr", "score"),
        ("key", "x", None),
    ],
)
def test_an_unknown_name_stores_nothing(rig: Rig, field: str, name: str, meant: str | None) -> None:
    target = replace(ITEMS, configured={field: [name]})
    with pytest.raises(UnknownColumns, match=f"acme.items: `{field}`: there is no column '{name}'") as raised:
        rig.land("id,score\n1,2\n", target=target)
    assert ("did you mean" in str(raised.value)) == (meant is not None)
    assert f"did you mean {meant!r}?" in str(raised.value) or meant is None
    assert "_orgdata" not in str(raised.value)
    assert raised.value.keys == (field == "key")
    with pytest.raises(Exception, match="items"):
        rig.sql("FROM acme.items")


def test_names_are_not_checked_without_rows(rig: Rig) -> None:
    target = replace(ITEMS, key=("idd",), configured={"key": ["idd"], "columns": ["scoer"]})
    assert rig.land("", target=target).rows == {"2026-03-01": 0}
    assert rig.land("id,score\n", target=target).rows == {"2026-03-01": 0}


def test_a_column_that_is_no_longer_sent_is_not_an_unknown_name(rig: Rig) -> None:
    target = replace(ITEMS, configured={"columns": ["score"]})
    rig.land("id,score\n1,2\n", target=target, declared={"score": "DOUBLE"})
    rig.land("id\n2\n", target=target, partition="2026-03-02", declared={"score": "DOUBLE"})
    assert rig.texts("id") == [("1", "2.0"), ("2", None)]


def test_the_cursor_column_is_found_in_another_case_or_similar_names_are_shown(rig: Rig) -> None:
    target = replace(DATED, cursor="UPDATED_DATE", configured={})
    rig.land(f"id,updated_date\n1,{T}\n", target=target, load={"after": None}, bounds=[(None, None)])
    with pytest.raises(UnreadablePage, match="no column 'updatd_date'; did you mean 'updated_date'\\?"):
        rig.land(f"id,updated_date\n1,{T}\n", target=replace(DATED, cursor="updatd_date"))


def test_an_exact_name_wins_over_one_in_another_case(rig: Rig) -> None:
    target = replace(ITEMS, key=("Name",), configured={"key": ["Name"]}, column_descriptions={"Name": "the second"})
    rig.land("name,Name\nl,1\nl,2\n", target=target)
    comments = dict(
        rig.sql(
            "SELECT column_name, comment FROM duckdb_columns() WHERE table_name = 'items' "
            "AND database_name = current_database()"
        )
    )
    assert (comments["name"], comments["Name_2"]) == (None, "the second")


def test_a_declared_type_may_not_empty_the_cursor_column(rig: Rig) -> None:
    with pytest.raises(Refused, match="cursor column 'updated_date' do not fit TIMESTAMP"):
        rig.land(f"id,updated_date\n1,{T}\n", target=DATED, declared={"updated_date": "TIMESTAMP"})


@pytest.mark.parametrize("disposition", ["merge", "replace"])
def test_keys_that_differ_only_in_case_stay_distinct_and_are_reported(rig: Rig, disposition: WriteDisposition) -> None:
    target = replace(ITEMS, key=("id",), write_disposition=disposition)
    done = rig.land("id,v\na,1\nA,2\nb,3\n", target=target)
    assert (done.key_problems.case_only, done.key_problems.good) == (1, True)
    assert rig.texts("v") == [("a", "1"), ("A", "2"), ("b", "3")]
