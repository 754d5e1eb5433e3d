"""How many records of a page lie within bounds: answered by the extent if possible, otherwise counted."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orgdata_dagster.warehouse.errors import UnreadablePage
from orgdata_dagster.warehouse.pages import json_pages
from orgdata_dagster.warehouse.pages.csv_pages import prepare
from orgdata_dagster.warehouse.pages.extents import Extent, count_within, extent, measure
from orgdata_dagster.warehouse.pages.page import Page
from orgdata_dagster_tests.warehouse.rig import Rig

START = datetime(2026, 3, 1, tzinfo=UTC)


def at(second: int) -> datetime:
    return START + timedelta(seconds=second)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.integers(0, 9), max_size=12),
    st.one_of(st.none(), st.integers(-1, 10)),
    st.one_of(st.none(), st.integers(-1, 10)),
    st.integers(1, 12),
)
def test_an_extent_only_gives_correct_answers(
    seconds: list[int], after: int | None, until: int | None, known: int
) -> None:
    bottom, top = sorted(map(at, seconds))[:known], sorted(map(at, seconds), reverse=True)[:known]
    lower, upper = (None if bound is None else at(bound) for bound in (after, until))
    inside = [n for n in seconds if (after is None or n > after) and (until is None or n <= until)]
    message = Extent(len(seconds), tuple(bottom), tuple(top)).count_within(lower, upper)
    assert message in (None, len(inside))
    if known >= len(seconds):
        assert message is not None


@pytest.mark.parametrize(("after", "until", "inside"), [(0, 5, 300), (None, 0, 200), (0, None, 301), (5, 6, 1)])
def test_more_equal_instants_than_an_extent_keeps_are_counted(
    rig: Rig, after: int | None, until: int | None, inside: int
) -> None:
    lines = ["id,at"] + [f"{n},{at(s).isoformat()}" for n, s in enumerate([0] * 200 + [5] * 300 + [6])]
    page, reach = extent(rig.connection, rig.file("\n".join(lines) + "\n"), "at")
    bounds = [None if bound is None else at(bound) for bound in (after, until)]
    assert reach.count_within(*bounds) in (None, inside)
    assert count_within(rig.connection, page, "at", *bounds) == inside


@pytest.mark.parametrize("odd", ["0000-12-31T00:00:00Z", "0000-00-00", "10000-01-01T00:00:00Z", "infinity", "n/a"])
@pytest.mark.parametrize("form", ["csv", "json"])
def test_an_instant_that_python_cannot_represent_is_named(rig: Rig, odd: str, form: str) -> None:
    """DuckDB returned such an instant as text, and comparing it ended in a TypeError."""
    first = "2026-03-01T00:00:00Z"
    if form == "csv":
        page: Page = prepare(rig.file(f"id,at\n1,{first}\n2,{odd}\n"))
    else:
        page = json_pages.prepare(rig.file(json.dumps([{"at": first}, {"at": odd}])), rig.connection)
    with pytest.raises(UnreadablePage, match=rf"1 of 2 rows have no instant of the years 1 to 9999 .*'{odd}'"):
        measure(rig.connection, page, "at")
