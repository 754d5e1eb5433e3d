import pytest

from orgdata_dagster.warehouse.ledger.intervals import Interval, intervals, joined
from orgdata_dagster_tests.warehouse.ledger.instants import hour, span


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
def test_an_interval_is_complete_except_for_its_gaps(
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
def test_adjacent_complete_intervals_are_joined(parts: list[Interval], expected: list[Interval]) -> None:
    assert list(joined(parts)) == expected
