from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orgdata_dagster.warehouse.ledger import coverage
from orgdata_dagster.warehouse.ledger.coverage import intervals, joined
from orgdata_dagster.warehouse.ledger.store import Interval
from orgdata_dagster.warehouse.names import TableName
from orgdata_dagster_tests.warehouse.rig import DAY, ITEMS, Rig

MIDNIGHT = datetime(2026, 3, 1, tzinfo=UTC)


def hour(number: float) -> datetime:
    return MIDNIGHT + timedelta(hours=number)


def span(start: float, end: float, reason: str | None = None) -> Interval:
    return Interval(hour(start), hour(end), reason)


@pytest.mark.parametrize(
    ("start", "end", "gaps", "expected"),
    [
        (0, 24, [], [span(0, 24)]),
        (0, 24, [span(3, 4, "gap")], [span(0, 3), span(3, 4, "gap"), span(4, 24)]),
        (2, 7, [span(5, 6, "b"), span(3, 4, "a")],
         [span(2, 3), span(3, 4, "a"), span(4, 5), span(5, 6, "b"), span(6, 7)]),
        (0, 24, [span(0, 1, "gap")], [span(0, 1, "gap"), span(1, 24)]),
        (0, 24, [span(23, 24, "gap")], [span(0, 23), span(23, 24, "gap")]),
        (0, 24, [span(3, 4, "a"), span(4, 5, "b")], [span(0, 3), span(3, 4, "a"), span(4, 5, "b"), span(5, 24)]),
        (0, 12, [span(13, 14, "later")], [span(0, 12)]),
        (5, 5, [], []),
        (6, 5, [], []),
    ],
)  # fmt: skip
def test_a_span_is_complete_but_for_its_gaps(
    start: float, end: float, gaps: list[Interval], expected: list[Interval]
) -> None:
    assert list(intervals(hour(start), hour(end), gaps)) == expected


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([], []),
        ([span(0, 1), span(1, 2), span(2, 3)], [span(0, 3)]),
        ([span(1, 2), span(0, 1)], [span(0, 2)]),
        ([span(0, 1), span(2, 3)], [span(0, 1), span(2, 3)]),
        ([span(0, 1), span(1, 2, "gap"), span(2, 3)], [span(0, 1), span(1, 2, "gap"), span(2, 3)]),
    ],
)
def test_complete_neighbours_are_one(parts: list[Interval], expected: list[Interval]) -> None:
    assert list(joined(parts)) == expected


def test_what_is_known_of_each_partition_in_order(rig: Rig) -> None:
    rig.land("id\n", load={"coverage": (span(3, 24), span(0, 3, "gap"))})
    rig.land("id\n", partition=None, load={"coverage": (span(0, 1),)})
    rig.land("id\n", partition="2026-03-02")
    with rig.looking() as connection:
        assert coverage.known(connection, ITEMS.table) == {DAY: (span(0, 3, "gap"), span(3, 24)), None: (span(0, 1),)}
        assert coverage.known(connection, TableName("acme", "others")) == {}


def overview(rig: Rig) -> dict[str, dict[str, Any]]:
    with rig.looking() as connection:
        return {str(row["table_name"]): row for row in coverage.overview(connection)}


def test_the_overview_counts_only_days_that_are_proven(rig: Rig) -> None:
    days = {
        "2026-03-01": (span(0, 24),),
        "2026-03-02": (span(24, 40), span(40, 41, "a gap"), span(41, 48)),
        "2026-03-03": (span(48, 60),),
    }
    for day, parts in days.items():
        rig.land("id\n1\n", partition=day, load={"coverage": parts})
    rig.land("id\n1\n", partition=None, target=replace(ITEMS, table=TableName("acme", "others")))
    rows = overview(rig)
    items = rows["items"]
    assert (items["partitions"], items["days_complete"], items["complete_until"]) == (3, 1, hour(60))
    assert (items["incomplete"], items["covered"]) == (["2026-03-02"], list(days))
    assert (rows["others"]["days_complete"], rows["others"]["covered"]) == (0, None)


def test_a_day_in_several_parts_is_complete_when_they_are(rig: Rig) -> None:
    rig.land("id\n1\n", load={"coverage": (span(0, 10), span(10, 24))})
    assert overview(rig)["items"]["days_complete"] == 1


@pytest.mark.parametrize(
    ("covered", "missing"),
    [
        ([], []),
        (["2026-03-01"], []),
        (["2026-02-27", "2026-03-02"], ["2026-02-28", "2026-03-01"]),
        (["2026-03-03", "2026-03-01", "2026-03-02"], []),
    ],
)
def test_the_days_between(covered: list[str], missing: list[str]) -> None:
    assert coverage.missing_days(covered) == missing


def test_a_database_of_somebody_else_has_no_coverage(rig: Rig) -> None:
    with rig.warehouse.writing() as connection:
        connection.execute("CREATE TABLE theirs (a INTEGER)")
    with rig.looking() as connection:
        assert coverage.known(connection, ITEMS.table) == {}
        assert coverage.overview(connection) == []
