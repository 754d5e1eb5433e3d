"""What users read in addition to the tables: views with the newest version of each key, and comments."""

from dataclasses import replace

import pytest

from orgdata_dagster.warehouse.commit.target import Target
from orgdata_dagster_tests.warehouse.rig import ITEMS, Rig

TARGET = replace(
    ITEMS,
    key=("id",),
    cursor="updated",
    description="The vendor's items.",
    column_descriptions={"score": 'It\'s a "score".', "unknown": "Not there."},
)
CURRENT = "SELECT * EXCLUDE (updated, _orgdata_partition, _orgdata_loaded_at, _orgdata_run_id) FROM acme.items_current"


def land(rig: Rig, day: int, *rows: str, header: str = "id,updated,score") -> None:
    rig.land("\n".join([header, *rows]) + "\n", target=TARGET, partition=f"2026-03-{day:02}")


def test_the_view_has_the_newest_version_of_each_key(rig: Rig) -> None:
    land(rig, 2, "a,2026-03-02T10:00:00Z,2", "b,2026-03-02T10:00:00.000001Z,4", "b,2026-03-02T10:00:00Z,3")
    land(rig, 1, "a,2026-03-01T10:00:00Z,1", "c,2026-03-01T10:00:00Z,5")
    assert rig.sql(f"{CURRENT} ORDER BY id") == [("a", 2), ("b", 4), ("c", 5)]


def test_of_equal_versions_the_last_loaded_one_is_shown(rig: Rig) -> None:
    land(rig, 2, "a,2026-03-01T10:00:00Z,2")
    land(rig, 1, "a,2026-03-01T10:00:00Z,1")
    assert rig.sql(CURRENT) == [("a", 1)]


def test_the_view_follows_the_tables_columns(rig: Rig) -> None:
    """DuckDB's views fail after the columns of their table have changed."""
    land(rig, 1, "a,2026-03-01T10:00:00Z,1")
    land(rig, 2, "b,2026-03-02T10:00:00Z,x", header="id,updated,score")
    land(rig, 3, "c,2026-03-03T10:00:00Z,2,new", header="id,updated,score,extra")
    land(rig, 4, "d,2026-03-04T10:00:00Z", header="id,updated")
    assert rig.sql(f"{CURRENT} ORDER BY id") == [
        ("a", "1", None),
        ("b", "x", None),
        ("c", "2", "new"),
        ("d", None, None),
    ]


def test_the_view_is_created_with_the_first_rows(rig: Rig) -> None:
    rig.land("", target=TARGET)
    land(rig, 1, "a,2026-03-01T10:00:00Z,1")
    assert rig.sql(CURRENT) == [("a", 1)]


def test_there_is_no_view_without_a_key(rig: Rig) -> None:
    rig.land("id,updated\na,2026-03-01T10:00:00Z\n", target=TARGET)
    rig.land("id,updated\na,2026-03-01T10:00:00Z\n", target=replace(TARGET, key=()))
    assert (
        rig.sql("SELECT view_name FROM duckdb_views() WHERE NOT internal AND database_name = current_database()") == []
    )


LOADED = {
    "merge": replace(TARGET, cursor=None, write_disposition="merge"),
    "merge with a cursor": replace(TARGET, write_disposition="merge"),
    "replace": replace(TARGET, cursor=None),
    "replace with a cursor": TARGET,
    "append": replace(TARGET, cursor=None, write_disposition="append"),
    "append with a cursor": replace(TARGET, write_disposition="append"),
    "snapshots": replace(TARGET, cursor=None, snapshots=True),
}


@pytest.mark.parametrize("target", LOADED.values(), ids=LOADED.keys())
def test_every_table_with_a_key_has_the_view_with_one_row_per_key(rig: Rig, target: Target) -> None:
    """A table without a cursor that was replaced or appended to once had no view."""
    days: dict[str, tuple[str, ...]] = {
        "2026-03-02": ("b,2026-03-02T10:00:00Z,3",),
        "2026-03-03": ("a,2026-03-03T10:00:00Z,2",),
    }
    if target.snapshots:
        days["2026-03-03"] += days["2026-03-02"]
    rig.land("id,updated,score\na,2026-03-01T10:00:00Z,1\n", target=target, partition="2026-03-01")
    for day, rows in days.items():
        rig.land("\n".join(["id,updated,score", *rows]) + "\n", target=target, partition=day)
    assert rig.sql(f"{CURRENT} ORDER BY id") == [("a", 2), ("b", 3)]


def test_without_a_cursor_the_newest_partition_counts_even_if_an_older_one_was_loaded_later(rig: Rig) -> None:
    target = LOADED["replace"]
    for day, score in (("2026-03-01", 1), ("2026-03-02", 2), ("2026-03-01", 3)):
        rig.land(f"id,updated,score\na,,{score}\n", target=target, partition=day)
    assert rig.sql(CURRENT) == [("a", 2)]


def test_tables_and_documented_columns_have_comments(rig: Rig) -> None:
    land(rig, 1, "a,2026-03-01T10:00:00Z,1")
    assert rig.sql(
        "SELECT comment FROM duckdb_tables() WHERE table_name = 'items' AND database_name = current_database()"
    ) == [("The vendor's items.",)]
    comments = dict(
        rig.sql(
            "SELECT column_name, comment FROM duckdb_columns() WHERE table_name = 'items' "
            "AND database_name = current_database()"
        )
    )
    assert comments["score"] == 'It\'s a "score".'
    assert comments["id"] is None
    assert all(comments[name] for name in comments if name.startswith("_orgdata_"))
    ((view,),) = rig.sql("SELECT comment FROM duckdb_views() WHERE view_name = 'items_current'")
    assert "id" in view


def test_the_ledgers_tables_are_documented(rig: Rig) -> None:
    rig.land("id\n1\n")
    undocumented = "SELECT table_name FROM duckdb_tables() WHERE schema_name = '_orgdata' AND comment IS NULL"
    assert rig.sql(undocumented) == []


def test_views_and_comments_follow_the_settings(rig: Rig) -> None:
    land(rig, 1, "a,2026-03-01T10:00:00Z,1")
    other = replace(TARGET, key=("score",), description="", column_descriptions={"id": "Now known."})
    rig.land("id,updated,score\nb,2026-03-02T10:00:00Z,1\n", target=other, partition="2026-03-02")
    assert rig.sql(CURRENT) == [("b", 1)]
    [(table,)] = rig.sql(
        "SELECT comment FROM duckdb_tables() WHERE table_name = 'items' AND database_name = current_database()"
    )
    columns = dict(
        rig.sql(
            "SELECT column_name, comment FROM duckdb_columns() WHERE table_name = 'items' "
            "AND database_name = current_database()"
        )
    )
    assert (table, columns["id"], columns["score"]) == (None, "Now known.", None)
    rig.land("id,updated,score\nc,2026-03-03T10:00:00Z,1\n", target=replace(other, key=()), partition="2026-03-03")
    assert (
        rig.sql("SELECT view_name FROM duckdb_views() WHERE NOT internal AND database_name = current_database()") == []
    )
