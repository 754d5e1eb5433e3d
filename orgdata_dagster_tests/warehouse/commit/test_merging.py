"""Merging by key: the newest row per key is kept. Unchanged rows stay. A full load deletes rows that it lacks."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import duckdb
import pytest

from orgdata_dagster.warehouse.commit.target import Target
from orgdata_dagster_tests.warehouse.rig import ITEMS, NOON, Rig

MERGED = replace(ITEMS, key=("id",), cursor="at", write_disposition="merge")
LATER = NOON + timedelta(hours=1)


def csv(*rows: tuple[object, ...]) -> str:
    """Rows of id, instant (a second after noon) and a value."""
    lines = [f"{key},2026-03-01T12:00:{second:02}Z,{value}" for key, second, value in rows]
    return "\n".join(["id,at,value", *lines, ""])


def land(
    rig: Rig, *rows: tuple[object, ...], whole: bool = False, as_of: datetime = NOON, target: Target = MERGED
) -> int:
    """Merge rows; returns how many of them stay."""
    done = rig.land(csv(*rows), target=target, partition=None, as_of=as_of, load={"whole": whole})
    return done.rows.get(None, 0)


def rows(rig: Rig) -> list[tuple[object, ...]]:
    return rig.sql("SELECT id, value FROM acme.items ORDER BY ALL")


def test_a_newer_version_replaces_an_older_one(rig: Rig) -> None:
    land(rig, (1, 1, "a"), (2, 1, "b"))
    assert land(rig, (1, 2, "c"), (3, 2, "d")) == 2
    assert rows(rig) == [(1, "c"), (2, "b"), (3, "d")]


def test_an_older_version_does_not_replace_a_newer_one(rig: Rig) -> None:
    land(rig, (1, 5, "new"))
    assert land(rig, (1, 4, "old")) == 0
    assert rows(rig) == [(1, "new")]


def test_another_value_with_the_same_cursor_is_a_newer_version(rig: Rig) -> None:
    land(rig, (1, 5, "first"))
    assert land(rig, (1, 5, "second")) == 1
    assert rows(rig) == [(1, "second")]


@pytest.mark.parametrize("whole", [False, True])
def test_duplicates_of_a_key_become_its_newest_version(rig: Rig, whole: bool) -> None:
    assert land(rig, (1, 1, "a"), (1, 3, "c"), (1, 2, "b"), (2, 1, "x"), (2, 1, "x"), whole=whole) == 2
    assert rows(rig) == [(1, "c"), (2, "x")]


@pytest.mark.parametrize("whole", [False, True])
def test_an_unchanged_row_is_not_touched(rig: Rig, whole: bool) -> None:
    everything = "SELECT * FROM acme.items ORDER BY ALL"
    land(rig, (1, 1, "a"), (2, 1, ""), (3, 1, '""'))
    before = rig.sql(everything)
    assert land(rig, (1, 1, "a"), (2, 1, ""), (3, 1, '""'), whole=whole, as_of=LATER) == 0
    assert rig.sql(everything) == before


def test_a_full_load_deletes_rows_that_it_lacks(rig: Rig) -> None:
    land(rig, (1, 1, "stays"), (2, 1, "changes"), (3, 1, "goes"))
    assert land(rig, (1, 1, "stays"), (2, 2, "changed"), (4, 2, "comes"), whole=True) == 2
    assert rows(rig) == [(1, "stays"), (2, "changed"), (4, "comes")]


def test_a_full_load_replaces_rows_even_by_older_versions(rig: Rig) -> None:
    land(rig, (1, 5, "wrong"))
    land(rig, (1, 4, "restored"), whole=True)
    assert rows(rig) == [(1, "restored")]


def test_a_full_load_without_rows_empties_the_table(rig: Rig) -> None:
    land(rig, (1, 1, "a"))
    land(rig, whole=True)
    assert rows(rig) == []


def test_an_older_full_load_deletes_nothing(rig: Rig) -> None:
    land(rig, (1, 2, "a"), as_of=LATER)
    land(rig, (2, 1, "b"), whole=True, as_of=NOON)
    assert rows(rig) == [(1, "a")]
    land(rig, (1, 1, "older"), (2, 1, "b"), as_of=NOON)
    assert rows(rig) == [(1, "a"), (2, "b")], "but what takes nothing away is welcome"


def test_an_empty_table_can_be_merged_into(rig: Rig) -> None:
    assert rig.land("", target=MERGED, partition=None).rows == {None: 0}
    assert land(rig, (1, 1, "a")) == 1


def test_a_vendors_own_steps_run_in_the_transaction(rig: Rig) -> None:
    def fail(connection: duckdb.DuckDBPyConnection, target: Target, now: datetime, run_id: str) -> str | None:
        connection.execute(f"DELETE FROM {target.table.sql}")
        raise ValueError(f"{now.tzinfo is not None} {run_id}")

    land(rig, (1, 1, "a"))
    with pytest.raises(ValueError, match="True run"):
        land(rig, (2, 1, "b"), target=replace(MERGED, afterwards=fail))
    assert rows(rig) == [(1, "a")]
