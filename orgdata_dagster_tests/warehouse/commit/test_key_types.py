"""Keys that differ only in their JSON type, such as 1 and "1": both rows are kept in any commit, and it is reported."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from orgdata_dagster.warehouse.commit import ready_rows
from orgdata_dagster.warehouse.commit.commit_result import CommitResult
from orgdata_dagster.warehouse.commit.ready_rows import ReadyRows
from orgdata_dagster.warehouse.commit.target import PartitionLoad, Target, WriteDisposition
from orgdata_dagster.warehouse.commit.transaction import commit
from orgdata_dagster.warehouse.pages import json_pages, json_values
from orgdata_dagster.warehouse.pages.stage import Stage, StagedPage
from orgdata_dagster_tests.warehouse.rig import DAY, ITEMS, NOON, Rig

MERGED = replace(ITEMS, key=("id",), write_disposition="merge")
Page = Sequence[Mapping[str, Any]] | str


def staged(rig: Rig, page: Page, target: Target) -> StagedPage:
    text = page if isinstance(page, str) else json.dumps(page)
    return StagedPage(json_pages.prepare(rig.file(text), rig.connection).with_key(target.key), DAY)


def land(
    rig: Rig,
    *pages: Page,
    target: Target = MERGED,
    whole: bool = False,
    declared: Mapping[str, str] | None = None,
) -> CommitResult:
    stage = Stage(rig.connection, declared=declared)
    for page in pages:
        stage.add(staged(rig, page, target))
    return commit(rig.warehouse, target, stage, [PartitionLoad(DAY, NOON, whole=whole)], run_id="run")


@pytest.fixture(params=["python", "database"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "database":
        monkeypatch.setattr(json_values, "SMALL", 0)


@pytest.mark.parametrize("disposition", ["merge", "replace"])
def test_both_rows_of_a_page_stay(rig: Rig, disposition: WriteDisposition) -> None:
    target = replace(MERGED, write_disposition=disposition)
    done = land(rig, [{"id": 1, "v": "a"}, {"id": "1", "v": "b"}, {"id": 2, "v": "c"}], target=target)
    assert (done.key_problems.type_only, done.key_problems.good) == (1, True)
    expected = [("1", "a"), ("1", "b"), ("2", "c")]
    assert rig.sql("SELECT id, v FROM acme.items ORDER BY v") == expected
    assert rig.sql("SELECT id, v FROM acme.items_current ORDER BY v") == expected


@pytest.mark.parametrize(("first", "second"), [(1, "1"), ("1", 1), (7.50, "7.50"), (True, "true")])
def test_a_later_one_does_not_replace_the_other(rig: Rig, first: object, second: object) -> None:
    assert land(rig, [{"id": first, "v": "first"}, {"id": first, "v": "first"}]).key_problems.type_only == 0
    land(rig, [{"id": second, "v": "second"}])
    land(rig, [{"id": first, "v": "changed"}])
    assert rig.sql("SELECT v FROM acme.items ORDER BY v") == [("changed",), ("second",)]
    assert rig.sql("SELECT count(*) FROM acme.items_current") == [(2,)]


def test_a_declared_type_makes_them_one(rig: Rig) -> None:
    land(rig, [{"id": 1, "v": "a"}, {"id": 2, "v": "b"}], declared={"id": "BIGINT"})
    land(rig, [{"id": "1", "v": "A"}], declared={"id": "BIGINT"})
    assert rig.sql("SELECT id, v FROM acme.items ORDER BY id") == [(1, "A"), (2, "b")]


def test_each_is_updated_and_deleted_independently(rig: Rig) -> None:
    land(rig, [{"id": 1, "v": "a"}], [{"id": "1", "v": "b"}])
    land(rig, [{"id": "1", "v": "B"}])
    assert rig.sql("SELECT v FROM acme.items ORDER BY v") == [("B",), ("a",)]
    done = land(rig, [{"id": 1, "v": "a"}], whole=True)
    assert rig.sql("SELECT v FROM acme.items") == [("a",)]
    assert done.key_problems.type_only == 0


def test_keys_of_one_type_need_no_additional_column(rig: Rig) -> None:
    """Numbers that are stored as text, because no number type of the database can hold them, still count as numbers."""
    for _ in range(2):
        land(rig, '[{"id": 123456789012345678901234567890, "v": "a"}, {"id": 1.50, "v": "b"}]')
    assert rig.sql("SELECT count(*) FROM acme.items") == [(2,)]
    assert rig.sql("SELECT 1 FROM duckdb_columns() WHERE column_name = '_orgdata_key_types'") == []


def test_a_key_of_several_columns(rig: Rig) -> None:
    target = replace(MERGED, key=("kind", "ID"))
    land(rig, [{"kind": "x", "id": 1}, {"kind": "x", "id": 2}], target=target)
    land(rig, [{"kind": "x", "id": "1"}, {"kind": "x", "id": 1}], target=target)
    assert rig.sql("SELECT CAST(id AS VARCHAR), _orgdata_key_types FROM acme.items ORDER BY ALL") == [
        ("1", "string, number"),
        ("1", "string, string"),
        ("2", "string, number"),
    ]


def test_rows_that_are_converted_early_stay_distinct_too(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ready_rows, "LARGE", 1)
    monkeypatch.setattr(ready_rows, "AT_ONCE", 1)
    for pages in ([[{"id": 1, "v": "a"}], [{"id": "1", "v": "b"}]], [[{"id": "1", "v": "B"}], [{"id": 1, "v": "A"}]]):
        early = ReadyRows(Stage(rig.connection, expected=rig.expected.get(MERGED.table)), MERGED)
        for page in pages:
            early.add(staged(rig, page, MERGED))
        load = PartitionLoad(DAY, NOON)
        done = commit(rig.warehouse, MERGED, early.stage, [load], run_id="run", ready=[early])
        rig.expected[MERGED.table] = done.expected
    assert rig.sql("SELECT v FROM acme.items ORDER BY v") == [("A",), ("B",)]


@pytest.mark.parametrize(("first", "later"), [(5, "abc"), ("abc", 5)])
def test_rows_of_an_earlier_version_are_updated_and_not_doubled(rig: Rig, first: object, later: object) -> None:
    """That version did not store the JSON types of the keys."""
    earlier = replace(MERGED, key=(), write_disposition="replace")
    land(rig, [{"id": "abc", "v": "a"}, {"id": 5, "v": "a"}], target=earlier)
    land(rig, [{"id": first, "v": "b"}, {"id": 6, "v": "b"}])
    land(rig, [{"id": later, "v": "b"}])
    assert rig.sql("SELECT id, v FROM acme.items ORDER BY ALL") == [("5", "b"), ("6", "b"), ("abc", "b")]


@pytest.mark.parametrize("first", [1, "x"])
def test_a_new_column_in_the_same_commit(rig: Rig, first: object) -> None:
    second = "1" if first == 1 else 1
    land(rig, [{"id": first, "v": "a"}])
    land(rig, [{"id": second, "v": "b", "new": 5}])
    land(rig, [{"id": first, "v": "A"}])
    assert rig.sql("SELECT v, new FROM acme.items ORDER BY v") == [("A", None), ("b", 5)]


def test_another_key_is_configured(rig: Rig) -> None:
    page: list[dict[str, Any]] = [{"id": 1, "kind": "x", "v": "a"}, {"id": "1", "kind": "x", "v": "b"}]
    for key in (("id",), ("kind", "id"), ("id", "kind"), ("id",)):
        land(rig, [row | {"v": row["v"] + "2"} for row in page], target=replace(MERGED, key=key))
        land(rig, page, target=replace(MERGED, key=key))
        assert rig.sql("SELECT v FROM acme.items ORDER BY v") == [("a",), ("b",)]
