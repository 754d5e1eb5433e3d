"""A vendor's name leads to the same column on every page and in every pull, whatever the order of names."""

import itertools
import json
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orgdata_dagster.warehouse.commit.target import PartitionLoad, Target
from orgdata_dagster.warehouse.commit.transaction import commit
from orgdata_dagster.warehouse.names import TableName, folded
from orgdata_dagster.warehouse.pages import json_pages
from orgdata_dagster.warehouse.pages.column_names import ColumnNames, VendorName
from orgdata_dagster.warehouse.pages.stage import Stage, StagedPage
from orgdata_dagster_tests.warehouse.rig import DAY, ITEMS, NOON, Rig
from orgdata_dagster_tests.warehouses import fewer_on_a_lake


def test_names_that_differ_in_case_keep_their_columns_in_every_order(rig: Rig) -> None:
    """The values of `Name` were once stored in `name`, because columns were numbered by their order within a page."""
    rig.land("name,Name\nl1,U1\n")
    rig.land("Name,name\nU2,l2\n", partition="2026-03-02")
    rig.land("Name\nU3\n", partition="2026-03-03")
    assert rig.texts("Name_2") == [("l1", "U1"), ("l2", "U2"), (None, "U3")]


def test_names_that_differ_in_case_keep_their_columns_within_one_commit(rig: Rig) -> None:
    rig.land("name,Name\nl1,U1\n", "Name,name\nU2,l2\n", "Name\nU3\n")
    assert rig.texts("Name_2") == [("l1", "U1"), ("l2", "U2"), (None, "U3")]


def test_a_name_equal_to_a_numbered_column_gets_another_number(rig: Rig) -> None:
    rig.land("name,name\na,b\n")
    rig.land("name,name,name_2\nc,d,e\n", partition="2026-03-02")
    rig.land("name_2,name\nf,g\n", partition="2026-03-03")
    assert rig.texts("name") == [("a", "b", None), ("c", "d", "e"), ("g", None, "f")]
    assert list(rig.types()) == ["name", "name_2", "name_2_2"]


def test_one_name_in_another_case_is_the_same_column(rig: Rig) -> None:
    rig.land("Id,v\n1,a\n")
    rig.land("ID,V\n2,b\n", partition="2026-03-02")
    assert rig.texts("id") == [("1", "a"), ("2", "b")]


def land_json(rig: Rig, records: list[dict[str, object]], partition: str = DAY, flatten: tuple[str, ...] = ()) -> None:
    stage = Stage(rig.connection)  # knows nothing: the commit finds what the table knows
    page = json_pages.prepare(rig.file(json.dumps(records)), rig.connection, flatten=flatten)
    stage.add(StagedPage(page, partition))
    commit(rig.warehouse, ITEMS, stage, [PartitionLoad(partition, NOON)], run_id="run")


@pytest.mark.parametrize("first", [0, 1])
def test_a_nested_name_and_an_equal_flat_name(rig: Rig, first: int) -> None:
    pages: list[dict[str, object]] = [{"styles": {"thumb": "nested"}}, {"styles_thumb": "flat"}]
    land_json(rig, [pages[first]], flatten=("styles",))
    land_json(rig, [pages[1 - first]], "2026-03-02", flatten=("styles",))
    land_json(rig, [{"styles_thumb": "flat", "styles": {"thumb": "nested"}}], "2026-03-03", flatten=("styles",))
    nested, flat = ("styles_thumb", "styles_thumb_2")[:: -1 if first else 1]
    rows = rig.sql(f"SELECT {nested}, {flat} FROM acme.items ORDER BY _orgdata_partition")
    assert sorted(map(str, rows)) == sorted(map(str, [("nested", None), (None, "flat"), ("nested", "flat")]))


def test_names_in_json_records_stay_distinct(rig: Rig) -> None:
    land_json(rig, [{"name": "l1", "Name": "U1"}])
    land_json(rig, [{"Name": "U2"}, {"name": "l2"}], "2026-03-02")
    land_json(rig, [{"Name": "U3"}], "2026-03-03")
    assert rig.texts("Name_2") == [("l1", "U1"), (None, "U2"), (None, "U3"), ("l2", None)]


def test_two_runs_that_name_the_columns_of_a_new_table_differently_agree(rig: Rig) -> None:
    """The runs found `name` and `Name` in a different order, and neither knew of the other."""
    first, second = rig.stage("name,Name\nl1,U1\n"), rig.stage("Name,name\nU2,l2\n", partition="2026-03-02")
    for stage, day in ((first, DAY), (second, "2026-03-02")):
        commit(rig.warehouse, ITEMS, stage, [PartitionLoad(day, NOON)], run_id=day)
    assert rig.texts("name") == [("l1", "U1"), ("l2", "U2")]


def test_a_declared_type_follows_the_vendors_name(rig: Rig) -> None:
    declared = {"Name": "BIGINT"}
    rig.land("name,Name\n1,2\n", declared=declared)
    rig.land("Name\n3\n", partition="2026-03-02", declared=declared)
    assert rig.types() == {"name": "BIGINT", "Name_2": "BIGINT"}
    rig.land("name,Name\nx,4\n", partition="2026-03-03", declared=declared)
    assert rig.types() == {"name": "VARCHAR", "Name_2": "BIGINT"}


SPELLINGS = ["name", "Name", "NAME", "name_2", "Name_2", "other", "École", "école", "", "_orgdata_x", "rowid"]
HEADERS = st.lists(st.lists(st.sampled_from(SPELLINGS), min_size=1, max_size=5), min_size=1, max_size=5)
numbers = itertools.count()


@settings(max_examples=fewer_on_a_lake(25), deadline=None)
@given(headers=HEADERS, together=st.booleans())
def test_a_value_is_always_in_the_first_column_of_its_name(
    shared: Rig, headers: list[list[str]], together: bool
) -> None:
    """Once a name has its own column, that column has all its values, and none has the values of two names."""
    target = Target(TableName("acme", f"names_{next(numbers)}"))
    bodies = []
    for page, header in enumerate(headers):
        values = [f"{name.strip()}#{header[:at].count(name)}/{page}.{at}" for at, name in enumerate(header)]
        bodies.append(",".join(f'"{name}"' for name in header) + "\n" + ",".join(values) + "\n")
    if together:
        shared.land(*bodies, target=target)
    else:
        for page, body in enumerate(bodies):
            shared.land(body, target=target, partition=str(NOON.date() + timedelta(days=page)))
    landed: dict[str, set[str]] = {}
    for row in shared.texts(target=target):
        for column, value in zip(shared.types(target), row, strict=True):
            if value is not None:
                landed.setdefault(column, set()).add(value.partition("/")[0])
    written = sum(len(header) for header in headers)
    assert sum(value is not None for row in shared.texts(target=target) for value in row) == written
    for found in landed.values():
        names = {name.partition("#")[0] for name in found}
        assert len({folded(name) for name in names}) == 1


@given(HEADERS)
def test_a_name_never_changes_its_column(headers: list[list[str]]) -> None:
    names, before = ColumnNames(), dict[VendorName, str]()
    for header in headers:
        page = tuple(dict.fromkeys(VendorName((name,)) for name in header if name))
        columns = dict(zip(page, names.assign(page).columns, strict=True))
        assert len({folded(column) for column in columns.values()}) == len(columns)
        assert all(columns[name] == column for name, column in before.items() if name in columns)
        before |= names.of(page)
