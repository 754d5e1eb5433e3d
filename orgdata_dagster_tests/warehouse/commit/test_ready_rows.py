"""Rows that are prepared before the lock: copied if they fit the table, otherwise read from the pages again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from orgdata_dagster.warehouse.commit import ready_rows
from orgdata_dagster.warehouse.commit.commit_result import CommitResult
from orgdata_dagster.warehouse.commit.ready_rows import ReadyRows
from orgdata_dagster.warehouse.commit.target import PartitionLoad, Target
from orgdata_dagster.warehouse.commit.transaction import commit
from orgdata_dagster.warehouse.errors import RowCountMismatch
from orgdata_dagster.warehouse.pages import json_pages
from orgdata_dagster.warehouse.pages.extents import extent
from orgdata_dagster.warehouse.pages.stage import StagedPage
from orgdata_dagster_tests.warehouse.rig import DAY, ITEMS, NOON, Rig

MERGED = replace(ITEMS, key=("id",), cursor="at", write_disposition="merge")


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A single record is converted at once."""
    monkeypatch.setattr(ready_rows, "LARGE", 1)
    monkeypatch.setattr(ready_rows, "AT_ONCE", 1)


def made_ready(rig: Rig, *bodies: str, target: Target = ITEMS) -> ReadyRows:
    rows = ReadyRows(rig.stage(table=target.table, cursor=target.cursor), target)
    for body in bodies:
        page, _ = extent(rig.connection, rig.file(body), target.cursor)
        rows.add(StagedPage(page, DAY))
    return rows


def land(rig: Rig, rows: ReadyRows, target: Target = ITEMS) -> CommitResult:
    try:
        return commit(rig.warehouse, target, rows.stage, [PartitionLoad(DAY, NOON)], run_id="run", ready=[rows])
    finally:
        rows.discard()


def without_pages(rows: ReadyRows) -> ReadyRows:
    for staged in rows.stage.pages:
        Path(staged.page.path).unlink()
    return rows


def test_the_commit_does_not_read_the_pages_again(rig: Rig) -> None:
    rows = made_ready(rig, "id,name\n1,a\n", "id,name,more\n2,b,1.5\n")
    done = land(rig, without_pages(rows))
    assert done.inserted == 2
    assert rig.types() == {"id": "BIGINT", "name": "VARCHAR", "more": "DECIMAL(18,1)"}
    assert rig.texts() == [("1", "a", None), ("2", "b", "1.5")]
    loaded = "_orgdata_loaded_at = (SELECT loaded_at FROM _orgdata.loads)"
    own = rig.sql(f"SELECT DISTINCT _orgdata_partition, _orgdata_run_id, {loaded} FROM acme.items")
    assert own == [(DAY, "run", True)]


def land_together(rig: Rig, *several: ReadyRows) -> CommitResult:
    stage = rig.stage()
    for rows in several:
        stage.absorb(rows.stage)
    loads = [PartitionLoad(rows.partition, NOON) for rows in several]
    return commit(rig.warehouse, ITEMS, stage, loads, run_id="run", ready=several)


def ready_for(rig: Rig, partition: str, *bodies: str) -> ReadyRows:
    rows = ReadyRows(rig.stage(), ITEMS)
    for body in bodies:
        rows.add(StagedPage(extent(rig.connection, rig.file(body), None)[0], partition))
    return rows


def test_several_partitions_are_committed_without_reading_their_pages_again(rig: Rig) -> None:
    first, second = ready_for(rig, DAY, "id,name\n1,a\n"), ready_for(rig, "2026-03-02", "id,more\n2,1.5\n", "id\n3\n")
    done = land_together(rig, without_pages(first), without_pages(second))
    assert (done.rows, done.inserted) == ({DAY: 1, "2026-03-02": 2}, 3)
    found = rig.sql("SELECT _orgdata_partition, id, name, more::VARCHAR FROM acme.items ORDER BY id")
    assert found == [(DAY, 1, "a", None), ("2026-03-02", 2, None, "1.5"), ("2026-03-02", 3, None, None)]


def test_a_partition_whose_types_differ_is_read_again_and_the_others_are_not(rig: Rig) -> None:
    steady, odd = ready_for(rig, DAY, "id,name\n1,a\n"), ready_for(rig, "2026-03-02", "id,name\n2,7\n")
    done = land_together(rig, without_pages(steady), odd)
    assert done.inserted == 2
    assert rig.texts() == [("1", "a"), ("2", "7")]


def test_a_value_that_fits_no_common_type_makes_the_column_text(rig: Rig) -> None:
    several = [ready_for(rig, f"2026-03-0{day}", f"id,v\n{day},{v}\n") for day, v in ((1, "1.5"), (2, "007"), (3, "4"))]
    land_together(rig, *several)
    assert rig.texts() == [("1", "1.5"), ("2", "007"), ("3", "4")]


def test_an_existing_table_gets_the_rows_in_its_own_types(rig: Rig) -> None:
    rig.land("id,score\n1,5\n", partition="2026-02-28")
    rows = made_ready(rig, "id,score\n2,7\n", "id,extra\n3,x\n")
    land(rig, without_pages(rows))
    assert rig.texts() == [("1", "5", None), ("2", "7", None), ("3", None, "x")]


def test_a_later_page_that_does_not_fit_the_types_loses_nothing(rig: Rig) -> None:
    rows = made_ready(rig, "id,score\n1,5\n", "id,score\n2,N/A\n", "id,score\n3,007\n")
    land(rig, rows)
    assert rig.types()["score"] == "VARCHAR"
    assert rig.texts() == [("1", "5"), ("2", "N/A"), ("3", "007")]


def test_a_table_that_changed_in_the_meantime_gets_the_rows_from_the_pages(rig: Rig) -> None:
    rows = made_ready(rig, "id,at\n1,2026-03-01T12:00:00Z\n")
    rig.land("id,at\n2,never\n", partition="2026-02-28")
    land(rig, rows)
    assert rig.texts() == [("1", "2026-03-01T12:00:00Z"), ("2", "never")]  # not as the database writes an instant


def test_a_kind_on_a_later_page_keeps_the_spelling_of_earlier_values(rig: Rig) -> None:
    rows = made_ready(rig)
    for body in ('[{"v": 1e2}]', '[{"v": "x"}]'):
        rows.add(StagedPage(json_pages.prepare(rig.file(body), rig.connection), DAY))
    land(rig, rows)
    assert rig.texts() == [("1e2",), ("x",)]


def test_insufficient_memory_is_not_an_error(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def too_much(*_: object, **__: object) -> int:
        raise duckdb.OutOfMemoryException

    monkeypatch.setattr(ready_rows, "insert", too_much)
    land(rig, made_ready(rig, "id\n1\n", "id\n2\n"))
    assert rig.texts() == [("1",), ("2",)]


def test_only_the_newest_version_of_a_repeated_key_is_prepared(rig: Rig) -> None:
    first = "id,at,value\n1,2026-03-01T12:00:01Z,old\n2,2026-03-01T12:00:01Z,x\n"
    rows = made_ready(rig, first, "id,at,value\n1,2026-03-01T12:00:09Z,new\n", target=MERGED)
    done = land(rig, without_pages(rows), MERGED)
    assert rig.sql("SELECT id, value FROM acme.items ORDER BY ALL") == [(1, "new"), (2, "x")]
    assert (done.inserted, done.rows) == (3, {DAY: 2})


def test_a_configured_column_that_only_the_table_has(rig: Rig) -> None:
    """A vendor that omits empty members sent no row with the column, and the pull failed although the table has it."""
    target = replace(MERGED, configured={"columns": ["note"]})
    rig.land("id,at,note\n1,2026-03-01T12:00:01Z,x\n", target=target)
    land(rig, without_pages(made_ready(rig, "id,at\n2,2026-03-01T12:00:02Z\n", target=target)), target)
    assert rig.sql("SELECT id, note FROM acme.items ORDER BY ALL") == [(1, "x"), (2, None)]


def test_insufficient_memory_for_finding_repeated_keys_is_not_an_error(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_much(*_: object, **__: object) -> int:
        raise duckdb.OutOfMemoryException

    monkeypatch.setattr(ready_rows, "drop_duplicates_of_key", too_much)
    land(rig, made_ready(rig, "id,at\n1,2026-03-01T12:00:01Z\n", target=MERGED), MERGED)
    assert rig.sql("SELECT id FROM acme.items") == [(1,)]


def test_a_lost_row_fails_the_commit(rig: Rig) -> None:
    rows = made_ready(rig, "id\n1\n", "id\n2\n")
    rig.connection.execute(f"DELETE FROM memory.{rows.table.sql} WHERE id = 1")
    with pytest.raises(RowCountMismatch, match="2 rows were converted, but 1 were inserted"):
        land(rig, rows)
    with pytest.raises(duckdb.CatalogException):
        rig.sql("FROM acme.items")


def test_prepared_rows_are_deleted_after_the_commit(rig: Rig) -> None:
    rows = made_ready(rig, "id\n1\n")
    land(rig, rows)
    with pytest.raises(duckdb.CatalogException):
        rig.connection.execute(f"FROM memory.{rows.table.sql}")
