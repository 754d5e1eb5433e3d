"""Rows that move while a list is paged: all that were not touched meanwhile are read, or the walk says it is not sure.

The vendor is the sandbox's own list, asked without HTTP; its rows are touched, deleted and added between any two pages.
A single walk without the rules of walk.py and paginators.py must fail the same property.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import Phase, example, find, given, settings
from hypothesis import strategies as st
from starlette.datastructures import URL

from orgdata_dagster.http.rest.answers import PageAnswer, PageRequest
from orgdata_dagster.http.rest.walk import Walked, WalkedPage, walk_until_complete
from orgdata_dagster.sandbox.accutics import Dimension, Entity
from orgdata_dagster.sandbox.accutics.paging import page_meta
from orgdata_dagster.vendors.accutics.entity import listing
from orgdata_dagster.vendors.rest.rows import instants, newest_first, unchanged
from orgdata_dagster_tests.examples import examples

START = datetime(2026, 3, 1, tzinfo=UTC)
DAY = "updated_at:gte:2026-03-01T00:00:00Z;updated_at:lt:2026-03-02T00:00:00Z"
OPEN = "updated_at:gte:2026-03-01T00:00:00Z"
URL_ = "https://api.example.org/inputs"
DIMENSIONS = {"id": Dimension("number", "id"), "updated_at": Dimension("timestamp", "updated_at")}
Page = list[dict[str, Any]]
ALWAYS = st.just(True)


@dataclass
class Vendor:
    """A list of rows of one day, and the changes to it before each request (by number)."""

    seconds: list[int]
    size: int
    search: str
    sort: str
    moves: dict[int, list[tuple[str, int]]]
    requests: int = 0
    touched: set[int] = field(default_factory=set)
    empty: frozenset[int] = frozenset()
    totals: bool = False
    down: int = 1_000_000
    dated: bool = True  # whether the YAML names a cursor_column

    def __post_init__(self) -> None:
        self._start = START + timedelta(days=1) if self.search == DAY else START + timedelta(hours=23)
        rows = [
            {"id": n, "updated_at": f"{(START + timedelta(seconds=s)).isoformat()}"} for n, s in enumerate(self.seconds)
        ]
        self.entity = Entity(
            "inputs", "page", DIMENSIONS, rows,
            sortable=list(DIMENSIONS), default_sort="updated_at", now=lambda: self.now,
        )  # fmt: skip
        self.before = set(range(len(rows)))

    @property
    def now(self) -> datetime:
        """The vendor's clock."""
        return self._start + timedelta(seconds=self.requests)

    def ask(self, page: int) -> tuple[Page, dict[str, Any]]:
        self.requests += 1
        for what, number in self.moves.get(self.requests, []):
            self._move(what, number)
        rows = self.entity.matching(self.search, self.sort)
        if self.requests in self.empty or self.requests >= self.down:
            return [], page_meta(URL(URL_), page, self.size, 0 if self.totals else len(rows))
        return rows[(page - 1) * self.size : page * self.size], page_meta(URL(URL_), page, self.size, len(rows))

    def once(self) -> Iterator[WalkedPage[Page]]:
        pages, began = listing("/inputs", "page", ["id"], self.size).paginate(), None
        while pages.has_next_page:
            began = began or self.now
            request = PageRequest()
            pages.update_request(request)
            rows, pagination = self.ask(int(request.params.get("page", 1)))
            pages.update_state(PageAnswer({"meta": {"pagination": pagination}}, {}, rows, URL_))
            keys = tuple(str(row["id"]) for row in rows)
            changes = instants(rows, "updated_at" if self.dated else "")
            yield WalkedPage(
                rows, keys, pagination["total_items"], newest_first(changes), unchanged=unchanged(changes, began)
            )

    def walk(self) -> Walked[Page]:
        return walk_until_complete(self.once, newest_first=self.sort.startswith("-updated_at"))

    def _move(self, what: str, number: int) -> None:
        if what == "empty":
            self.empty |= {self.requests}
            return
        keys = [row["id"] for row in self.entity.truth()]
        key = keys[number % len(keys)] if keys else None
        if what == "insert":
            self.entity.insert({"id": 1000 + len(self.touched)})
            self.touched.add(1000 + len(self.touched))
        elif key is not None:
            self.touched.add(key)
            self.entity.update(key) if what == "touch" else self.entity.delete(key)


@st.composite
def vendors(
    draw: st.DrawFn,
    search: str,
    sort: st.SearchStrategy[str],
    moves: tuple[str, ...],
    dated: st.SearchStrategy[bool] = ALWAYS,
) -> Vendor:
    # fewer moves between two requests than a page has rows: more would push the same page in front of a reader for ever
    size = draw(st.integers(3, 5))
    seconds = draw(st.lists(st.integers(0, 50), min_size=1, max_size=25))
    move = st.tuples(st.sampled_from(moves), st.integers(0, 30))
    schedule = draw(st.dictionaries(st.integers(2, 12), st.lists(move, min_size=1, max_size=size - 1), max_size=6))
    return Vendor(seconds, size, search, draw(sort), schedule, dated=draw(dated))


def lost(vendor: Vendor, pages: tuple[Page, ...]) -> set[int]:
    return vendor.before - vendor.touched - {row["id"] for page in pages for row in page}


def check(vendor: Vendor) -> Walked[Page]:
    walked = vendor.walk()
    assert not (walked.complete and lost(vendor, walked.pages))
    return walked


NEWEST_FIRST = st.just("-updated_at,id")
ANY_ORDER = st.sampled_from(["", "id", "-id", "updated_at"])


DELETIONS = {2: [("delete", 0)] * 2, 3: [("touch", 0)], 4: [("delete", 0)] * 2}


@example(vendor=Vendor([0] * 4, 3, OPEN, "-updated_at,id", DELETIONS))
@settings(max_examples=examples(100), deadline=None)
@given(vendors(OPEN, NEWEST_FIRST, ("touch", "insert", "delete")))
def test_an_open_range_newest_first_is_always_complete(vendor: Vendor) -> None:
    """Unless all rows are deleted meanwhile: answers without rows after others with rows prove nothing."""
    complete = check(vendor).complete
    assert complete or not vendor.entity.matching(OPEN, vendor.sort)


@example(vendor=Vendor([0] * 5, 4, DAY, "-updated_at,id", {2: [("touch", 0), ("touch", 1), ("touch", 2)]}))
@settings(max_examples=examples(100), deadline=None)
@given(vendors(DAY, NEWEST_FIRST, ("touch", "delete")))
def test_a_closed_day_newest_first_is_always_complete(vendor: Vendor) -> None:
    """Rows only leave a closed day, because a changed row belongs to another day. If all leave, answers are empty."""
    complete = check(vendor).complete
    assert complete or not vendor.entity.matching(DAY, vendor.sort)


@settings(max_examples=examples(100), deadline=None)
@given(vendors(DAY, ANY_ORDER, ("touch", "delete")))
def test_a_closed_day_in_any_order_is_complete_or_reported_as_incomplete(vendor: Vendor) -> None:
    check(vendor)


# a row is deleted and another one added between the same two requests: `total_items` does not tell
@example(vendor=Vendor([0] * 7, 3, OPEN, "id", {2: [("delete", 0), ("insert", 0)]}))
@example(vendor=Vendor([0] * 7, 3, "", "id", {2: [("delete", 0), ("insert", 0)]}))
@settings(max_examples=examples(100), deadline=None)
@given(vendors(OPEN, ANY_ORDER, ("touch", "insert", "delete"), st.booleans()))
def test_an_open_range_or_snapshot_in_any_order_is_complete_or_reported_as_incomplete(vendor: Vendor) -> None:
    check(vendor)


@settings(max_examples=examples(100), deadline=None)
@given(vendors(OPEN, st.one_of(NEWEST_FIRST, ANY_ORDER), ("touch",)))
def test_once_nothing_moves_one_walk_is_enough_and_reads_every_row_once(vendor: Vendor) -> None:
    vendor.moves = {}
    walked = vendor.walk()
    assert walked.complete
    assert sorted(row["id"] for page in walked.pages for row in page) == sorted(vendor.before)
    assert vendor.requests == max(1, -(-len(vendor.before) // vendor.size))


def test_rows_that_do_not_say_when_they_changed_are_read_until_two_walks_agree() -> None:
    vendor = Vendor([0] * 7, 3, "", "id", {}, dated=False)
    assert (vendor.walk().proof, vendor.requests) == ("two walks agree", 6)


def shrinking(rows: int, at: int) -> Vendor:
    """Pages of three; the first row leaves the list before a request."""
    return Vendor([0] * rows, 3, DAY, "-updated_at,id", {at: [("touch", 0)]})


@example(vendor=shrinking(7, at=3), empty=frozenset({2}), down=1_000_000, totals=False)
@example(vendor=shrinking(4, at=2), empty=frozenset(), down=2, totals=False)
@example(vendor=Vendor([0] * 10, 3, DAY, "-updated_at,id", {}), empty=frozenset(), down=2, totals=False)
@settings(max_examples=examples(100), deadline=None)
@given(
    vendors(DAY, st.one_of(NEWEST_FIRST, ANY_ORDER), ("touch", "delete")),
    st.lists(st.integers(2, 9), max_size=3).map(frozenset),
    st.sampled_from([1_000_000, 1_000_000, 2, 3, 5]),
    st.booleans(),
)
def test_an_empty_answer_completes_no_walk_that_has_shown_rows(
    vendor: Vendor, empty: frozenset[int], down: int, totals: bool
) -> None:
    """`totals`: whether the vendor also reports a total of 0. If it never shows a row, nothing contradicts that."""
    vendor.empty, vendor.down, vendor.totals = empty, down, totals
    check(vendor)


def naive(vendor: Vendor) -> tuple[Page, ...]:
    """Page after page until there is no next one."""
    pages, more = [], True
    while more:
        rows, pagination = vendor.ask(len(pages) + 1)
        pages.append(rows)
        more = pagination["next"] is not None
    return tuple(pages)


def once(vendor: Vendor) -> tuple[Page, ...]:
    """A single walk that steps back if rows have left, but is not repeated."""
    return tuple(answer.page for answer in vendor.once())


def by_total(vendor: Vendor) -> tuple[Page, ...]:
    """A single walk that is accepted if `total_items` stayed the same and equals the number of rows."""
    answers = list(vendor.once())
    seen = {key for answer in answers for key in answer.keys}
    claims = {answer.total for answer in answers} == {len(seen)}
    return tuple(answer.page for answer in answers) if claims else ([{"id": key} for key in vendor.before],)


@pytest.mark.parametrize(
    ("walk", "search", "sort", "moves"),
    [
        pytest.param(naive, DAY, "-updated_at,id", ("empty",), id="an empty answer"),
        pytest.param(naive, DAY, "-updated_at,id", ("touch",), id="rows that leave a closed day"),
        pytest.param(naive, OPEN, "-updated_at,id", ("delete",), id="deletions"),
        pytest.param(naive, OPEN, "", ("touch",), id="rows that move to the end"),
        pytest.param(once, OPEN, "", ("touch",), id="rows that move to the end, without walking again"),
        pytest.param(by_total, OPEN, "id", ("delete", "insert"), id="a row deleted and another one added at once"),
    ],
)
def test_a_simpler_walk_fails_the_same_property(
    walk: Callable[[Vendor], tuple[Page, ...]], search: str, sort: str, moves: tuple[str, ...]
) -> None:
    found = find(
        vendors(search, st.just(sort), moves),
        lambda vendor: bool(lost(vendor, walk(vendor))),
        settings=settings(max_examples=2000, phases=[Phase.generate]),
    )
    assert found.requests
