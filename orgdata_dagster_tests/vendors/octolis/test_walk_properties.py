"""Whatever changes while a dataset is read, no record is lost; simpler walks that look right lose some."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from random import Random

import pytest
from hypothesis import Phase, event, example, find, given, settings
from hypothesis import strategies as st

from orgdata_dagster.vendors.octolis.walk import NoProgress, RankedPage, RankRange, walk
from orgdata_dagster_tests.examples import examples
from orgdata_dagster_tests.vendors.octolis.fake_vendor import FakePage, FakeVendor, Happening, at

SIZE = 20
Walk = Callable[[FakeVendor, datetime | None], Iterator[RankedPage[FakePage]]]


@dataclass(frozen=True)
class Scenario:
    """A dataset, and its changes before each request of its first pull."""

    instants: list[datetime]
    happenings: dict[int, list[Happening]]
    stable_ties: bool

    def vendor(self) -> FakeVendor:
        return FakeVendor(self.instants, self.happenings, stable_ties=self.stable_ties)


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    """Many ties, of up to a quarter of a page. Larger ones may be cut twice; then only the count shows it."""
    ties = draw(st.lists(st.sampled_from([1, 1, 1, 2, 5]), max_size=40))
    instants = [at(second) for second, tie in enumerate(ties) for _ in range(tie)]
    happening = st.tuples(st.sampled_from(["touch", "insert", "delete"]), st.integers(0, 300))
    happenings = st.dictionaries(st.integers(2, 8), st.lists(happening, max_size=6), max_size=5)
    return Scenario(instants, draw(happenings), draw(st.booleans()))


def ours(vendor: FakeVendor, since: datetime | None) -> Iterator[RankedPage[FakePage]]:
    return walk(vendor.fetch, vendor.count, since=since, size=SIZE, first_size=7)


def pull(table: dict[int, datetime], vendor: FakeVendor, how: Walk) -> None:
    """Read what changed since the table's newest record, and keep the newest version of each record."""
    since = max(table.values(), default=None)
    for each in how(vendor, since):
        for key, instant in each.page.rows:
            table[key] = max(instant, table.get(key, instant))


def lost(scenario: Scenario, how: Walk) -> set[int]:
    """Records that the vendor has and the table lacks, or has in an old version, after a pull during which things
    happen and one during which nothing does."""
    vendor = scenario.vendor()
    table: dict[int, datetime] = {}
    pull(table, vendor, how)
    vendor.quiet()
    pull(table, vendor, how)
    return {key for key, instant in vendor.held.items() if table.get(key) != instant}


def missed(scenario: Scenario, how: Walk) -> set[int]:
    """Records that existed all the time and that one walk to the end does not yield."""
    vendor = scenario.vendor()
    walked = list(how(vendor, None))
    event(f"requests: {min(len(vendor.requests), 9)}")
    assert any(each.is_last for each in walked)
    return set(range(len(scenario.instants))) & set(vendor.held) - {key for each in walked for key, _ in each.page.rows}


@settings(max_examples=examples(200), deadline=None)
@given(scenarios())
def test_the_pull_after_the_changes_has_every_record_in_its_newest_version(scenario: Scenario) -> None:
    assert lost(scenario, ours) == set()


@settings(max_examples=examples(150), deadline=None)
@given(scenarios())
def test_a_walk_to_the_end_has_every_record_that_was_there_all_the_time(scenario: Scenario) -> None:
    assert missed(scenario, ours) == set()


@settings(max_examples=examples(100), deadline=None)
@given(scenarios(), st.integers(-1, 40))
def test_a_walk_since_a_watermark_has_everything_from_there_on(scenario: Scenario, second: int) -> None:
    """Deletions and changes may happen: a changed record is newer than the walk, and is left to the next one."""
    vendor = scenario.vendor()
    read = {key for each in ours(vendor, at(second)) for key, _ in each.page.rows}
    stayed = {key for key, instant in enumerate(scenario.instants) if vendor.held.get(key) == instant}
    assert {key for key in stayed if scenario.instants[key] >= at(second)} <= read


@st.composite
def odd_vendors(draw: st.DrawFn, *, quiet: bool = False) -> FakeVendor:
    """Vendors that sometimes, or from one request on, return no records although there are some.

    quiet: nothing else is odd: no record changes, and ties are always in the same order.
    """
    scenario = draw(scenarios())
    vendor = (Scenario(scenario.instants, {}, stable_ties=True) if quiet else scenario).vendor()
    vendor.empty = frozenset(draw(st.lists(st.integers(2, 9), max_size=3)))
    vendor.down = draw(st.sampled_from([1_000_000, 1_000_000, 2, 3, 5]))
    return vendor


def lost_to_empty_answers(vendor: FakeVendor, how: Walk) -> set[int]:
    """Records that existed all the time and that a walk does not yield although it ends without an error."""
    before = set(vendor.held)
    try:
        walked = list(how(vendor, None))
    except NoProgress:
        return set()
    return before & set(vendor.held) - {key for each in walked for key, _ in each.page.rows}


def cut_tie() -> FakeVendor:
    """A tie that the first page cuts, in another order each time; the page that leads past it is empty once."""
    ties = [1, 1, 2, 5, *[1] * 8, 2, 2, 2, 2]
    instants = [at(second) for second, tie in enumerate(ties) for _ in range(tie)]
    return FakeVendor(instants, stable_ties=False, empty=frozenset({4}))


@example(cut_tie())
@settings(max_examples=examples(150), deadline=None)
@given(odd_vendors())
def test_an_empty_answer_ends_no_walk(vendor: FakeVendor) -> None:
    assert lost_to_empty_answers(vendor, ours) == set()


def test_a_trusting_walk_loses_records_to_an_empty_answer() -> None:
    def harmed(vendor: FakeVendor) -> bool:
        return bool(lost_to_empty_answers(vendor, by_rank()))

    search = settings(max_examples=3000, phases=[Phase.generate])
    find(odd_vendors(quiet=True), harmed, settings=search, random=Random(0))


def by_rank(*, oldest_first: bool = False) -> Walk:
    """Page after page of one size, as the document's example suggests."""

    def pages(vendor: FakeVendor, _: datetime | None) -> Iterator[RankedPage[FakePage]]:
        for number in range(1, 100):
            page = vendor.fetch(RankRange(number, SIZE))
            if oldest_first:  # the same ranks from the other end
                rows = sorted(vendor.held.items(), key=lambda row: (row[1], row[0]))
                page = FakePage(tuple(rows[(number - 1) * SIZE : number * SIZE]))
            yield RankedPage(page, page.records < SIZE, number * SIZE)
            if page.records < SIZE:
                return

    return pages


@pytest.mark.parametrize(
    ("naive", "kinds", "stable_ties"),
    [
        pytest.param(by_rank(), {"delete"}, True, id="by rank, deletions shift unread records up"),
        pytest.param(by_rank(), set(), False, id="by rank, ties come in another order"),
        pytest.param(by_rank(oldest_first=True), {"touch"}, True, id="oldest first, touched records shift the rest up"),
    ],
)
def test_a_naive_walk_loses_records(naive: Walk, kinds: set[str], stable_ties: bool) -> None:
    def harmed(scenario: Scenario) -> bool:
        happenings = {n: [h for h in each if h[0] in kinds] for n, each in scenario.happenings.items()}
        only = Scenario(scenario.instants, happenings, stable_ties)
        return bool(missed(only, naive)) and not missed(only, ours)

    soon = Random(0)  # any other finds one too, but later
    find(scenarios(), harmed, settings=settings(max_examples=3000, phases=[Phase.generate]), random=soon)
