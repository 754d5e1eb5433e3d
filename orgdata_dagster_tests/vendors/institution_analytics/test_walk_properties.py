"""Whatever rows the vendor has, the walk yields every row of the range once; simpler walks that look right do not."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import Phase, assume, event, example, find, given, settings
from hypothesis import strategies as st

from orgdata_dagster.vendors.institution_analytics.gap_reasons import CONTRADICTED, TOO_COARSE
from orgdata_dagster.vendors.institution_analytics.time_ranges import (
    EPOCH,
    MICROSECOND,
    MINUTE,
    SECOND,
    BoundsIgnored,
    Gap,
    Slice,
    TimeRange,
)
from orgdata_dagster.vendors.institution_analytics.walk import walk
from orgdata_dagster_tests.examples import examples
from orgdata_dagster_tests.vendors.institution_analytics.fake_vendor import MILLISECOND, FakePage, FakeVendor

START = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
UNITS = [MICROSECOND, MILLISECOND, SECOND]
BORDERS = [
    START + edge + step
    for edge in (timedelta(0), DAY)
    for unit in (MINUTE, SECOND, MILLISECOND, MICROSECOND, timedelta(0))
    for step in (-unit, unit)
]
Item = Slice[FakePage] | Gap


@dataclass(frozen=True)
class Scenario:
    """The vendor's rows, its paging, and the range to read."""

    instants: list[datetime]
    page_rows: int
    precision: timedelta
    time_range: TimeRange
    updates: dict[int, set[int]]
    seed: int

    def vendor(self) -> FakeVendor:
        now = START + 2 * DAY
        return FakeVendor(self.instants, now, self.page_rows, self.precision, self.updates, self.seed)


@st.composite
def scenarios(draw: st.DrawFn, page_rows: st.SearchStrategy[int]) -> Scenario:
    """Few distinct instants, many of them within one second or at a border of the day, so that ties abound."""
    unit = draw(st.sampled_from(UNITS))
    second = START + SECOND * draw(st.integers(0, 86_399))
    within = st.integers(0, SECOND // unit).map(lambda number: second + unit * number)
    anywhere = st.integers(-5_000_000, 86_405_000_000).map(lambda number: START + number * MICROSECOND // unit * unit)
    borders = st.sampled_from(BORDERS)
    places = draw(st.sampled_from([st.one_of(within, borders, anywhere), within, borders]))
    pool = draw(st.lists(places, min_size=1, max_size=12))
    instants = draw(st.lists(st.sampled_from(pool), max_size=30))
    rows = st.sets(st.integers(0, max(0, len(instants) - 1)), max_size=3) if instants else st.just(set())
    closed = TimeRange(START - MICROSECOND, START + DAY - MICROSECOND)
    since = st.sampled_from([START, *pool]).map(lambda after: TimeRange(after - MICROSECOND, None))
    return Scenario(
        instants,
        draw(page_rows),
        draw(st.sampled_from(UNITS)),
        draw(st.one_of(st.just(closed), since)),
        draw(st.dictionaries(st.integers(2, 6), rows, max_size=3)),
        draw(st.integers(0, 9)),
    )


def run(scenario: Scenario, vendor: FakeVendor) -> list[Item]:
    return list(walk(vendor.fetch, scenario.time_range, page_rows=scenario.page_rows, precision=scenario.precision))


def check(scenario: Scenario, vendor: FakeVendor, items: list[Item]) -> None:
    """The kept rows are the vendor's rows of the range, each once."""
    gaps = [item for item in items if isinstance(item, Gap)]
    kept = Counter(row for item in items if isinstance(item, Slice) for row in kept_rows(item))
    after, until = scenario.time_range.after, scenario.time_range.until
    inside = {row for row in enumerate(scenario.instants) if lies_in(row[1], after, until)}
    assert set(kept) <= inside, "rows outside the range"
    assert max(kept.values(), default=1) == 1, "rows kept twice"
    lost = {
        (key, at)
        for key, at in inside - set(kept)
        if key not in vendor.moved and not any(lies_in(at, gap.after, gap.until) for gap in gaps)
    }
    assert not lost, "rows lost"
    for gap in gaps:
        assert after <= gap.after < gap.until, "a gap outside the range"
        end = gap.until + (EPOCH - gap.until) % scenario.precision
        if vendor.moved:
            continue  # a row that is gone when it is asked for again may look like one that was lost
        assert gap.reason != CONTRADICTED
        sharing = sum(lies_in(at, end - scenario.precision, end) for at in scenario.instants)
        # a page is cut at nine tenths of its size at least, and the walk allows for as much once more
        assert sharing >= (0.9 if scenario.page_rows < 10 else 0.81) * scenario.page_rows, "a gap without a cause"


def kept_rows(item: Slice[FakePage]) -> list[tuple[int, datetime]]:
    return [row for row in item.page.rows if lies_in(row[1], item.after, item.until)]


def lies_in(at: datetime, after: datetime, until: datetime | None) -> bool:
    return after < at and (until is None or at <= until)


def of_the_day(*instants: datetime, precision: timedelta = MICROSECOND) -> Scenario:
    """Pages of two rows, and the whole day."""
    return Scenario(list(instants), 2, precision, TimeRange(START - MICROSECOND, START + DAY - MICROSECOND), {}, 0)


def since(after: datetime, *instants: datetime) -> Scenario:
    return replace(of_the_day(*instants), time_range=TimeRange(after - MICROSECOND, None))


# the row of the day before lies below the first request's bound, and above that of a later one
@example(scenario=of_the_day(START - SECOND, START + DAY, precision=MILLISECOND))
@example(scenario=of_the_day(START - SECOND, START + MINUTE))
@example(scenario=of_the_day(START + DAY, START + DAY))
@settings(max_examples=examples(250), deadline=None)
@given(scenarios(st.integers(2, 7)))
def test_every_row_of_the_range_is_kept_once(scenario: Scenario) -> None:
    vendor = scenario.vendor()
    items = run(scenario, vendor)
    event(f"gaps: {sum(isinstance(item, Gap) for item in items)}, requests: {min(vendor.requests, 9)}")
    check(scenario, vendor, items)


@settings(max_examples=examples(150), deadline=None)
@given(scenarios(st.integers(10, 20)))
def test_pages_may_be_cut_anywhere_near_their_size(scenario: Scenario) -> None:
    vendor = scenario.vendor()
    check(scenario, vendor, run(scenario, vendor))


def stepping(step: timedelta) -> Callable[[Scenario, FakeVendor], Iterator[Item]]:
    """Continue at `step` before the page's minimum, and keep all rows: the document suggests SECOND."""

    def steps(scenario: Scenario, vendor: FakeVendor) -> Iterator[Item]:
        after, until = scenario.time_range.after, scenario.time_range.until
        while page := vendor.fetch(after, until).rows:
            yield Slice(FakePage(page), after, until)
            lowest = min(at for _, at in page)
            if lowest <= after or (until == lowest and not step):
                return
            until = lowest - step

    return steps


@pytest.mark.parametrize(
    ("naive", "harm"),
    [
        pytest.param(stepping(SECOND), "rows lost", id="one second prior, as the document says"),
        pytest.param(stepping(MICROSECOND), "rows lost", id="just before the minimum"),
        pytest.param(stepping(timedelta(0)), "rows kept twice", id="from the minimum, without dropping"),
    ],
)
def test_a_naive_walk_fails_the_same_property(
    naive: Callable[[Scenario, FakeVendor], Iterator[Item]], harm: str
) -> None:
    """Only where the real walk needs no gap, because no client can read more rows at an instant than a page holds."""

    def harmed(scenario: Scenario) -> bool:
        assume(scenario.precision == MICROSECOND)
        assume(not any(isinstance(item, Gap) for item in run(scenario, scenario.vendor())))
        vendor = scenario.vendor()
        try:
            check(scenario, vendor, list(naive(scenario, vendor)))
        except AssertionError as error:
            return harm in str(error)
        return False

    soon = Random(5)  # any other finds one too, but later
    search = settings(max_examples=2000, phases=[Phase.generate])
    find(scenarios(st.integers(2, 7)), harmed, settings=search, random=soon)


@st.composite
def odd_vendors(draw: st.DrawFn) -> tuple[Scenario, FakeVendor]:
    """Vendors that depart from their document: finer instants than they print, an exclusive bound, local times without
    a zone, answers without rows where there are some, rows that move meanwhile; or none of that."""
    scenario = draw(scenarios(st.integers(2, 9)))
    vendor = scenario.vendor()
    vendor.printed = draw(st.sampled_from([MICROSECOND, MILLISECOND, SECOND, MINUTE]))
    vendor.inclusive = draw(st.booleans())
    vendor.offset = draw(st.sampled_from([timedelta(0)] * 3 + [timedelta(hours=2), timedelta(hours=-5)]))
    vendor.empty = frozenset(draw(st.lists(st.integers(2, 9), max_size=2)))
    vendor.down = draw(st.sampled_from([1_000_000, 1_000_000, 2, 3, 5]))
    return scenario, vendor


def check_kept_or_gap(scenario: Scenario, vendor: FakeVendor, items: list[Item]) -> None:
    """Check that every row printed within the range is kept once, or that a gap covers it."""
    after, until = scenario.time_range.after, scenario.time_range.until
    inside = {(key, vendor.shown(at)) for key, at in enumerate(scenario.instants)}
    inside = {row for row in inside if lies_in(row[1], after, until)}
    kept = Counter(row for item in items if isinstance(item, Slice) for row in kept_rows(item))
    gaps = [item for item in items if isinstance(item, Gap)]
    assert max(kept.values(), default=1) == 1, "rows kept twice"
    lost = {
        (key, at)
        for key, at in inside - set(kept)
        if key not in vendor.moved and not any(lies_in(at, gap.after, gap.until) for gap in gaps)
    }
    assert not lost, "rows lost"


def odd(scenario: Scenario, **departures: object) -> tuple[Scenario, FakeVendor]:
    return scenario, replace(scenario.vendor(), **departures)  # type: ignore[arg-type]


@st.composite
def coarse_or_exclusive_vendors(draw: st.DrawFn, page_rows: st.SearchStrategy[int]) -> tuple[Scenario, FakeVendor]:
    """Vendors that print coarser instants than they store, or exclude the upper bound."""
    scenario = replace(draw(scenarios(page_rows)), updates={})
    printed = draw(st.sampled_from([MICROSECOND, MILLISECOND, SECOND, MINUTE]))
    return odd(scenario, printed=printed, inclusive=draw(st.booleans()))


EAST = {"offset": timedelta(hours=2), "inclusive": False}
WEST = {"offset": timedelta(hours=-5)}


@example(made=odd(of_the_day(START + MICROSECOND, START - SECOND), **EAST, empty=frozenset({2, 4})))
@example(made=odd(of_the_day(START + MICROSECOND, START - SECOND), **EAST, down=2))
@example(made=odd(of_the_day(START + DAY / 2, START + DAY + SECOND), **WEST))
@example(made=odd(since(START, START + MINUTE, START + 1.5 * MINUTE), printed=MINUTE, inclusive=False, empty={2}))
@settings(max_examples=examples(300), deadline=None)
@given(odd_vendors())
def test_whatever_the_vendor_does_rows_are_there_or_a_gap_says_so(made: tuple[Scenario, FakeVendor]) -> None:
    scenario, vendor = made
    try:
        items = run(scenario, vendor)
    except BoundsIgnored:
        assert vendor.offset, "a vendor that keeps to its bounds"
        return
    if vendor.offset and not any(isinstance(item, Slice) for item in items):
        return  # no row was seen by whose instant the offset could be told
    event(f"gaps: {sum(isinstance(item, Gap) for item in items)}")
    check_kept_or_gap(scenario, vendor, items)


def on_one_page(*instants: datetime, **departures: object) -> tuple[Scenario, FakeVendor]:
    return odd(replace(of_the_day(*instants), page_rows=1000), **departures)


# a single row in the day's last printed unit; all rows at one instant; nearly all rows stored at the printed instant
@example(made=on_one_page(START + DAY - MICROSECOND, inclusive=False))
@example(made=on_one_page(START + DAY - MILLISECOND, printed=SECOND))
@example(made=on_one_page(START + DAY / 2, START + DAY / 2, inclusive=False))
@example(made=on_one_page(*[START + SECOND] * 18, START + 1.5 * SECOND, START + 2 * SECOND, printed=SECOND))
@settings(max_examples=examples(150), deadline=None)
@given(coarse_or_exclusive_vendors(st.just(1000)))
def test_rows_that_fit_on_one_page_are_no_gap(made: tuple[Scenario, FakeVendor]) -> None:
    """Also if the page size in the configuration is far too large; unless a finer `precision` would prove it."""
    scenario, vendor = made
    items = run(replace(scenario, page_rows=20_000), vendor)
    check_kept_or_gap(scenario, vendor, items)
    assert all(is_too_coarse(scenario, item) for item in items if isinstance(item, Gap))


def is_too_coarse(scenario: Scenario, gap: Gap) -> bool:
    """Whether a gap asks for a finer `precision`, and there is one."""
    return gap.reason.endswith(TOO_COARSE.partition("}")[2]) and scenario.precision > MICROSECOND


# all rows lie within one printed unit, and a page has fewer than the configuration says
@example(made=odd(of_the_day(*[START + SECOND * n / 25 for n in range(1, 21)]), printed=SECOND))
@settings(max_examples=examples(50), deadline=None)
@given(coarse_or_exclusive_vendors(st.integers(2, 9)))
def test_a_page_size_that_is_wrong_hides_no_row_of_a_coarse_vendor(made: tuple[Scenario, FakeVendor]) -> None:
    """Unless rows are stored within one unit of `precision`: there, only the page size in the configuration tells."""
    scenario, vendor = made
    unit = scenario.precision
    assume(len({at - (at - EPOCH) % unit for at in scenario.instants}) == len(scenario.instants))
    check_kept_or_gap(scenario, vendor, run(replace(scenario, page_rows=20_000), vendor))


# the row at 1.000001 is printed as 1.000, and only a bound within that millisecond separates it from the row at 2
@example(made=odd(of_the_day(START + SECOND + MICROSECOND, START + 2 * SECOND), printed=MILLISECOND))
@settings(max_examples=examples(150), deadline=None)
@given(coarse_or_exclusive_vendors(st.integers(2, 20)))
def test_a_gap_has_a_cause_whatever_the_vendor_prints_and_includes(made: tuple[Scenario, FakeVendor]) -> None:
    scenario, vendor = made
    unit = max(vendor.printed, scenario.precision)
    items = run(scenario, vendor)
    check_kept_or_gap(scenario, vendor, items)
    for gap in (item for item in items if isinstance(item, Gap) and not is_too_coarse(scenario, item)):
        assert gap.reason != CONTRADICTED
        end = gap.until + (EPOCH - gap.until) % unit
        sharing = sum(end - unit <= at <= end + unit for at in scenario.instants)
        assert sharing >= 0.81 * scenario.page_rows, "a gap without a cause"


def trusting(scenario: Scenario, vendor: FakeVendor) -> Iterator[Item]:
    """A walk that accepts every answer and continues from the lowest instant, which the next page takes over."""
    after, until = scenario.time_range.after, scenario.time_range.until
    page = vendor.fetch(after, until)
    while page.records and page.lowest and (until is None or page.lowest < until):
        yield Slice(page, max(after, page.lowest), until)
        if page.lowest <= after:
            return
        until = page.lowest
        page = vendor.fetch(after, until)
    if page.records:
        yield Slice(page, after, until)


@pytest.mark.parametrize(
    "odd",
    [
        {"printed": MILLISECOND},
        {"printed": SECOND},
        {"printed": MINUTE},
        {"inclusive": False},
        {"empty": frozenset({2})},
    ],
    ids=str,
)
def test_a_trusting_walk_loses_rows(odd: dict[str, object]) -> None:
    """The real walk has every row there, without a gap."""

    def harmed(scenario: Scenario) -> bool:
        def vendor() -> FakeVendor:
            return replace(scenario.vendor(), **odd)  # type: ignore[arg-type]

        assume(scenario.precision == MICROSECOND)
        ours, theirs = vendor(), vendor()
        assume(not any(isinstance(item, Gap) for item in run(scenario, ours)))
        try:
            check_kept_or_gap(scenario, theirs, list(trusting(scenario, theirs)))
        except AssertionError as error:
            return "rows lost" in str(error)
        return False

    search = settings(max_examples=2000, phases=[Phase.generate])
    find(scenarios(st.integers(2, 7)), harmed, settings=search, random=Random(5))
