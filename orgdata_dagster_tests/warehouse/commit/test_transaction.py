"""A commit stores rows, coverage, load record and requests together, or nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pytest

from orgdata_dagster.warehouse.commit.target import PartitionLoad, Target
from orgdata_dagster.warehouse.commit.transaction import commit, record_requests
from orgdata_dagster.warehouse.errors import RowCountMismatch, WarehouseError
from orgdata_dagster.warehouse.ledger import coverage
from orgdata_dagster.warehouse.ledger.intervals import Interval
from orgdata_dagster.warehouse.ledger.requests import ApiRequest
from orgdata_dagster.warehouse.storage.connection import Warehouse
from orgdata_dagster_tests.warehouse.rig import DAY, ITEMS, NOON, Rig

NEXT = "2026-03-02"
VERSIONS = replace(ITEMS, key=("id",), cursor="at")
MERGE = replace(VERSIONS, write_disposition="merge")
MERGED = replace(ITEMS, key=("id",), write_disposition="merge")
APPEND = replace(ITEMS, write_disposition="append")
REQUEST = ApiRequest(
    vendor="acme", endpoint="/items", method="GET", at=NOON, status=200, attempt=1, cost=2.5, waited=0.5, seconds=0.1,
    bytes=1234, request_id="req-1", error=None,
)  # fmt: skip
HOUR = timedelta(hours=1)


def ten(minute: int) -> str:
    return f"2026-03-01T10:{minute:02}:00Z"


def versions(*rows: tuple[str, int]) -> str:
    return "id,at\n" + "".join(f"{key},{ten(minute)}\n" for key, minute in rows)


def stored(rig: Rig) -> list[tuple[Any, ...]]:
    return rig.sql('SELECT id, minute("at") FROM acme.items ORDER BY ALL')


def test_only_the_whole_partition_is_replaced(rig: Rig) -> None:
    rig.land("id\n1\n2\n")
    rig.land("id\n3\n", partition=NEXT)
    rig.land("id\n7\n8\n9\n", partition=None)
    done = rig.land("id\n4\n")
    assert done.rows == {DAY: 1}
    assert rig.texts() == [("3",), ("4",), ("7",), ("8",), ("9",)]
    rig.land("id\n10\n", partition=None)
    rig.land("", partition=NEXT)
    assert rig.texts() == [("10",), ("4",)]


def test_a_load_after_an_instant_only_replaces_later_rows(rig: Rig) -> None:
    rig.land(versions(("a", 1), ("b", 2), ("c", 3)), target=VERSIONS)
    watermark = datetime(2026, 3, 1, 10, 2, tzinfo=UTC)
    rig.land(versions(("d", 3), ("a", 4)), target=VERSIONS, load={"after": watermark}, as_of=NOON + HOUR)
    assert stored(rig) == [("a", 4), ("b", 2), ("d", 3)]


def test_a_load_after_an_instant_works_with_an_empty_table(rig: Rig) -> None:
    rig.land("", target=VERSIONS)
    rig.land(versions(("a", 1)), target=VERSIONS, load={"after": NOON - 3 * HOUR})
    assert stored(rig) == [("a", 1)]


def test_merge_keeps_the_newest_version_of_each_key_in_the_table(rig: Rig) -> None:
    rig.land(versions(("a", 1), ("b", 5)), target=MERGE)
    rig.land(versions(("a", 3), ("a", 2), ("b", 4), ("c", 1)), target=MERGE, partition=NEXT)
    assert stored(rig) == [("a", 3), ("b", 5), ("c", 1)]


def test_merge_by_several_columns_one_of_them_missing(rig: Rig) -> None:
    target = replace(MERGE, key=("id", "part"), cursor=None)
    rig.land("id,part,value\n1,,x\n1,a,x\n2,a,x\n", target=target, partition=None)
    rig.land("id,part,value\n1,,y\n2,a,y\n", target=target, partition=None)
    assert rig.texts("id, part") == [("1", "a", "x"), ("1", None, "y"), ("2", "a", "y")]


def test_merge_does_not_touch_duplicates_of_other_keys(rig: Rig) -> None:
    """A commit is only responsible for the keys that it inserts."""
    rig.land(versions(("a", 1), ("a", 2), ("b", 1)), target=VERSIONS)
    rig.land(versions(("b", 2)), target=MERGE)
    assert stored(rig) == [("a", 1), ("a", 2), ("b", 2)]


def test_append_keeps_all_rows(rig: Rig) -> None:
    rig.land("id\n1\n", target=APPEND)
    rig.land("id\n1\n", target=APPEND)
    assert rig.texts() == [("1",), ("1",)]


@pytest.mark.parametrize("target", [APPEND, ITEMS, MERGED], ids=["append", "replace", "merge"])
@pytest.mark.parametrize(("failures", "committed"), [(1, True), (2, True), (1, False)])
def test_running_out_of_memory_during_or_after_the_commit_duplicates_nothing(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, target: Target, failures: int, committed: bool
) -> None:
    """The retry once repeated a transaction that had already been committed, and appended its rows twice."""
    rig.land("id\n1\n", target=target, partition=NEXT)
    left, real = list[int](), Warehouse.transaction

    @contextmanager
    def short(warehouse: Warehouse, scratch: duckdb.DuckDBPyConnection | None = None) -> Iterator[Any]:
        with real(warehouse, scratch) as connection:
            yield connection
            if not committed and len(left) < failures:
                left.append(1)
                raise duckdb.OutOfMemoryException("Out of Memory Error: failed to allocate data")
        if len(left) < failures:
            left.append(1)
            raise duckdb.OutOfMemoryException("Out of Memory Error: failed to allocate data")

    monkeypatch.setattr(Warehouse, "transaction", short)
    done = rig.land("id\n2\n", target=target)
    assert done.rows == {DAY: 1}
    assert rig.texts() == [("1",), ("2",)]
    assert rig.sql("SELECT count(*) FROM _orgdata.loads") == [(2,)]


def test_the_newer_snapshot_wins_whatever_the_order_of_commits(rig: Rig) -> None:
    rig.land("id\n2\n", as_of=NOON + HOUR, run_id="newer", load={"coverage": (Interval(NOON, NOON + HOUR),)})
    done = rig.land("id\n1\n", as_of=NOON, run_id="older", load={"coverage": (Interval(NOON, NOON + HOUR, "gap"),)})
    assert done.superseded == {DAY}
    assert rig.texts() == [("2",)]
    assert rig.sql("SELECT run_id, status, row_count FROM _orgdata.loads ORDER BY ALL") == [
        ("newer", "landed", 1),
        ("older", "superseded", 0),
    ]
    assert rig.sql("SELECT run_id, complete FROM _orgdata.coverage") == [("newer", True)]
    assert rig.land("id\n3\n", as_of=NOON + HOUR).superseded == frozenset()
    assert rig.texts() == [("3",)]


def test_coverage_never_reaches_into_the_future_and_such_loads_do_not_block_later_ones(rig: Rig) -> None:
    """This once happened when a vendor's clock or this machine's clock was wrong."""
    now, ahead = datetime.now(UTC), datetime.now(UTC) + timedelta(days=400)
    rig.land("id\n1\n", as_of=ahead, load={"coverage": (Interval(NOON, ahead), Interval(ahead, ahead + HOUR))})
    [(as_of, until)] = rig.sql("SELECT as_of, to_instant FROM _orgdata.coverage")
    assert now <= as_of == until <= datetime.now(UTC)
    with rig.warehouse.writing() as connection:
        connection.execute("UPDATE _orgdata.loads SET as_of = now() + INTERVAL 400 DAY")
    assert rig.land("id\n2\n", as_of=now).superseded == frozenset()
    assert rig.texts() == [("2",)]


def test_one_commit_can_store_several_partitions(rig: Rig) -> None:
    rig.land("id\n2\n", partition=NEXT, as_of=NOON + HOUR)
    stage = rig.stage("id\n1\n")
    for page in rig.stage("id\n7\n8\n", partition=NEXT).pages:
        stage.add(page)
    done = commit(rig.warehouse, ITEMS, stage, [PartitionLoad(DAY, NOON), PartitionLoad(NEXT, NOON)], run_id="both")
    assert dict(done.rows) == {DAY: 1}
    assert done.superseded == {NEXT}
    assert rig.texts() == [("1",), ("2",)]


def test_a_row_on_two_pages_is_stored_once(rig: Rig) -> None:
    """Only a part of the time line counts of each page: `after < cursor <= until`."""
    at = datetime(2026, 3, 1, 10, 2, tzinfo=UTC)
    bodies = versions(("d", 4), ("c", 2), ("b", 2)), versions(("c", 2), ("b", 2), ("a", 1))
    done = rig.land(*bodies, target=VERSIONS, bounds=[(at, None), (at - HOUR, at)])
    assert done.rows == {DAY: 4}
    assert stored(rig) == [("a", 1), ("b", 2), ("c", 2), ("d", 4)]


def test_every_row_names_its_partition_run_and_commit(rig: Rig) -> None:
    began = datetime.now(UTC)
    rig.land("id\n1\n", run_id="abc")
    ((_, partition, loaded, run),) = rig.sql("SELECT * FROM acme.items")
    assert (partition, run) == (DAY, "abc")
    assert began <= loaded <= datetime.now(UTC)


def test_the_ledger_records_the_load(rig: Rig) -> None:
    stage = rig.stage("id\n1\n2\n")
    figures: dict[str, Any] = {"pages": 3, "bytes": 400, "requests": 5, "seconds": 1.5, "waited": 0.25}
    figures |= {"replaced_characters": 7}
    load = PartitionLoad(DAY, NOON, coverage=(Interval(NOON, NOON + HOUR),), **figures)
    commit(rig.warehouse, ITEMS, stage, [load], run_id="abc", requests=[REQUEST, replace(REQUEST, status=None)])
    ((*what, columns, replaced, commit_seconds),) = rig.sql("SELECT * EXCLUDE (loaded_at) FROM _orgdata.loads")
    assert what == ["acme", "items", DAY, "abc", "landed", NOON, 2, 3, 400, 5, 1.5, 0.25]
    assert (columns, replaced) == (["id"], 7)
    assert 0 < commit_seconds < 60
    with rig.looking() as connection:
        assert coverage.known(connection, ITEMS.table) == {DAY: load.coverage}
    assert rig.sql("SELECT * FROM _orgdata.requests ORDER BY status NULLS LAST") == [
        ("acme", "/items", "GET", NOON, 200, 1, 2.5, 0.5, 0.1, 1234, "req-1", None, "abc"),
        ("acme", "/items", "GET", NOON, None, 1, 2.5, 0.5, 0.1, 1234, "req-1", None, "abc"),
    ]


def test_a_load_only_replaces_the_coverage_of_its_partition(rig: Rig) -> None:
    rig.land("id\n1\n", load={"coverage": (Interval(NOON, NOON + HOUR), Interval(NOON + HOUR, NOON + 2 * HOUR, "gap"))})
    rig.land("id\n1\n", partition=NEXT, load={"coverage": (Interval(NOON, NOON + HOUR),)})
    rig.land("id\n1\n", load={"coverage": ()})
    assert rig.sql("SELECT partition_key FROM _orgdata.coverage") == [(NEXT,)]


def snapshot(rig: Rig) -> list[Any]:
    tables = ["acme.items", "_orgdata.loads", "_orgdata.coverage", "_orgdata.requests", "_orgdata.schema_changes"]
    return [rig.types(), *(rig.sql(f"SELECT * FROM {table} ORDER BY ALL") for table in tables)]


def fail_to_land(rig: Rig, error: type[Exception] | tuple[type[Exception], ...], body: str, changed: bytes) -> None:
    """Stage `body`, put `changed` in its place and commit: nothing may have happened but the error."""
    rig.land("id,at\n1,2026-03-01T10:00:00Z\n", load={"coverage": (Interval(NOON, NOON + HOUR),)})
    before = snapshot(rig)
    stage = rig.stage(body)
    stage.inspect()
    stage.pages[0].page.path.write_bytes(changed)
    load = PartitionLoad(DAY, NOON, coverage=(Interval(NOON, NOON + 2 * HOUR),))
    with pytest.raises(error):
        commit(rig.warehouse, ITEMS, stage, [load], run_id="broken", requests=[REQUEST])
    assert snapshot(rig) == before


@pytest.mark.parametrize("changed", [b"id,at\n5,\n", b"id,at\n5,\n6,\n7,\n"])
def test_a_commit_with_another_number_of_rows_than_staged_fails(rig: Rig, changed: bytes) -> None:
    fail_to_land(rig, RowCountMismatch, "id,at\n5,\n6,\n", changed)


@pytest.mark.parametrize("last", [b"x,y\n", b"\xff,,z\n"], ids=["too few fields", "not UTF-8"])
def test_a_failed_commit_changes_nothing(rig: Rig, last: bytes) -> None:
    """The unreadable row comes so late that the schema has already been altered."""
    rows = b"id,at,new\n" + b"x,,z\n" * 6000
    fail_to_land(rig, (duckdb.Error, WarehouseError), (rows + b"x,,z\n").decode(), rows + last)


def test_api_calls_without_a_load_are_recorded(rig: Rig) -> None:
    record_requests(rig.warehouse, [], run_id="x")
    assert not rig.warehouse.exists
    record_requests(rig.warehouse, [replace(REQUEST, error="refused")], run_id="x")
    assert rig.sql("SELECT error, run_id FROM _orgdata.requests") == [("refused", "x")]


def test_commits_stay_in_order_if_the_clock_jumps_back(rig: Rig) -> None:
    """The rows of a commit are identified by its time: with equal times, two commits would count each other's rows."""
    rig.land("id\n1\n")
    ahead = "2999-01-01T00:00:00Z"
    with rig.warehouse.writing() as connection:
        connection.execute(f"UPDATE _orgdata.loads SET loaded_at = '{ahead}'")
        connection.execute(f"UPDATE acme.items SET _orgdata_loaded_at = '{ahead}'")
    assert rig.land("id\n2\n3\n", partition=NEXT).rows == {NEXT: 2}
    assert rig.sql(f"SELECT count(*) FROM _orgdata.loads WHERE loaded_at > '{ahead}'") == [(1,)]


def test_a_contradicting_answer_keeps_the_stored_rows_and_records_the_reason(rig: Rig) -> None:
    rig.land("id\n1\n2\n")
    gap = Interval(NOON, NOON + HOUR, "the vendor answered with no row, and 2 are stored")
    load = PartitionLoad(DAY, NOON + HOUR, coverage=(gap,), contradicted=True)
    commit(rig.warehouse, ITEMS, rig.stage("id\n"), [load], run_id="later")
    assert rig.sql("SELECT id FROM acme.items ORDER BY id") == [(1,), (2,)]
    assert rig.sql("SELECT status FROM _orgdata.loads ORDER BY loaded_at") == [("landed",), ("contradicted",)]
    assert rig.sql("SELECT complete, reason FROM _orgdata.coverage") == [(False, gap.reason)]


def test_an_older_ledger_gets_its_missing_column(rig: Rig) -> None:
    rig.land("id\n1\n")
    with rig.warehouse.writing() as connection:
        connection.execute("ALTER TABLE _orgdata.loads DROP COLUMN replaced_characters")
        connection.execute("DROP TABLE _orgdata.state; CREATE TABLE _orgdata.views (made_of VARCHAR)")
    rig.land("id\n2\n", partition="2026-03-02")
    assert rig.sql("SELECT replaced_characters FROM _orgdata.loads ORDER BY loaded_at") == [(None,), (0,)]
