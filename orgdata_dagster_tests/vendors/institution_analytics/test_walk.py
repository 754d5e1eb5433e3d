"""The walk over days that are small enough to check by hand."""

from datetime import UTC, datetime, timedelta

import pytest

from orgdata_dagster.vendors.institution_analytics.gap_reasons import TOO_MANY
from orgdata_dagster.vendors.institution_analytics.time_ranges import MICROSECOND, BoundsIgnored, Gap, Slice, TimeRange
from orgdata_dagster.vendors.institution_analytics.walk import walk
from orgdata_dagster_tests.vendors.institution_analytics.fake_vendor import FakePage, FakeVendor

START = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
FIRST_DAY = TimeRange(START - MICROSECOND, START + DAY - MICROSECOND)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def walked(vendor: FakeVendor, time_range: TimeRange = FIRST_DAY, page_rows: int = 100) -> tuple[list[int], list[Gap]]:
    """The keys of the kept rows in order, and the gaps."""
    items = list(walk(vendor.fetch, time_range, page_rows=page_rows, precision=vendor.precision))
    kept = [
        key
        for item in items
        if isinstance(item, Slice)
        for key, instant in item.page.rows
        if item.after < instant and (item.until is None or instant <= item.until)
    ]
    return sorted(kept), [item for item in items if isinstance(item, Gap)]


def vendor_of(*seconds: float, page_rows: int = 3, **options: timedelta) -> FakeVendor:
    return FakeVendor([at(second) for second in seconds], START + 2 * DAY, page_rows, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seconds", "requests"),
    [([], 1), ([5.1], 3), ([5.2, 4.000001], 2), ([7.3, 6.000001, 5, 4], 2), ([5.1, 5.1], 4), ([7, 6, 5, 4], 2)],
    ids=["empty", "one row", "two rows", "ordinary", "one instant", "whole seconds"],
)
def test_a_small_day_costs_few_requests(seconds: list[float], requests: int) -> None:
    vendor = vendor_of(*seconds, page_rows=100)
    assert walked(vendor) == (list(range(len(seconds))), [])
    assert vendor.requests == requests


def test_today_is_read_without_an_upper_bound() -> None:
    vendor = vendor_of(5, 4, 3)
    assert walked(vendor, TimeRange(at(3), None)) == ([0, 1], [])


def test_ties_across_a_page_end() -> None:
    assert walked(vendor_of(9, 5, 5, 5, 1, page_rows=3), page_rows=3)[0] == [0, 1, 2, 3, 4]
    assert walked(vendor_of(9, 8, 5, 5, 1, page_rows=3), page_rows=3) == ([0, 1, 2, 3, 4], [])


def test_smaller_fractions_of_a_pages_last_second() -> None:
    """The document's next step, one second before the minimum, skips the last two rows."""
    assert walked(vendor_of(8, 7.5, 7.25, 7, page_rows=2), page_rows=2) == ([0, 1, 2, 3], [])


def test_rows_at_the_borders_of_the_day_belong_to_one_day_only() -> None:
    vendor = FakeVendor(
        [START - MICROSECOND, START, START + DAY - MICROSECOND, START + DAY], START + 2 * DAY, page_rows=2
    )
    assert walked(vendor, page_rows=2) == ([1, 2], [])


@pytest.mark.parametrize("page_rows", [3, 4])
@pytest.mark.parametrize("precision", [timedelta(seconds=1), timedelta(milliseconds=1)])
def test_a_vendor_that_understands_only_coarse_bounds(precision: timedelta, page_rows: int) -> None:
    """It sends rows from beyond both ends of the range, which belong to other days."""
    instants = [
        *(START - MICROSECOND * 2, START - MICROSECOND, START, at(7.1234)),
        *(START + DAY - MICROSECOND, START + DAY),
    ]
    vendor = FakeVendor(instants, START + 2 * DAY, page_rows, precision)
    assert walked(vendor, page_rows=page_rows) == ([2, 3, 4], [])


def test_more_rows_at_an_instant_than_a_page_holds_are_a_gap_and_the_walk_goes_on() -> None:
    vendor = vendor_of(9, 5, 5, 5, 5, 1, page_rows=3)
    kept, gaps = walked(vendor, page_rows=3)
    assert {0, 5} <= set(kept)
    assert len(kept) == 5
    assert gaps == [Gap(at(5) - MICROSECOND, at(5), TOO_MANY.format(records=3))]


def test_at_the_end_of_the_range_the_page_size_decides() -> None:
    """Nothing lies below the tie, so full pages may have been cut, and others were not."""
    assert walked(vendor_of(5, 5, 5, 5, page_rows=3), page_rows=3)[1] == [
        Gap(at(5) - MICROSECOND, at(5), TOO_MANY.format(records=3))
    ]
    assert walked(vendor_of(9, 8, 7, 5, 5, 5, 5, page_rows=3), page_rows=100)[1] == [
        Gap(at(5) - MICROSECOND, at(5), TOO_MANY.format(records=3))
    ]
    assert walked(vendor_of(5, 5, page_rows=3), page_rows=3) == ([0, 1], [])


@pytest.mark.parametrize(
    ("after", "until"),
    [
        pytest.param(lambda _: START - DAY, lambda until: until, id="after"),
        pytest.param(lambda after: after, lambda _: START + 2 * DAY, id="before"),
    ],
)
@pytest.mark.parametrize("time_range", [FIRST_DAY, TimeRange(START - MICROSECOND, None)])
def test_a_vendor_that_ignores_a_bound_is_detected(after, until, time_range: TimeRange) -> None:  # type: ignore[no-untyped-def]
    vendor = FakeVendor([START - DAY / 2, at(5), at(4), START + DAY * 1.5], START + 2 * DAY, page_rows=3)

    def fetch(asked_after: datetime, asked_until: datetime | None) -> FakePage:
        return vendor.fetch(after(asked_after), until(asked_until))

    with pytest.raises(BoundsIgnored, match="after_parameter, before_parameter"):
        list(walk(fetch, time_range, page_rows=3))
    assert vendor.requests <= 3


def test_a_vendor_that_always_returns_the_same_page_is_detected() -> None:
    page = FakePage(((1, at(5)), (2, at(4)), (3, at(3))))
    with pytest.raises(BoundsIgnored):
        list(walk(lambda *_: page, FIRST_DAY, page_rows=3))


def test_pages_come_newest_first_and_are_fetched_one_by_one() -> None:
    vendor = vendor_of(9, 8, 7, 6, 5, page_rows=2)
    items = walk(vendor.fetch, FIRST_DAY, page_rows=2)
    first = next(items)
    assert isinstance(first, Slice)
    assert (first.page.highest, first.after, first.until) == (at(9), at(8), FIRST_DAY.until)
    assert vendor.requests <= 3  # that it is whole at its lowest instant takes a look at the next one
