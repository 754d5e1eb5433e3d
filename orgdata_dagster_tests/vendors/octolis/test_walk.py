"""The walk, case by case: its requests, its end, and what it refuses."""

from __future__ import annotations

import pytest

from orgdata_dagster.vendors.octolis.walk import PageSizeTooSmall, PagesRepeat, RankRange, farthest, walk
from orgdata_dagster_tests.vendors.octolis.fake_vendor import FakePage, FakeVendor, at

SIZE = 50


def ids(vendor: FakeVendor, **options: object) -> list[int]:
    walked = walk(vendor.fetch, vendor.count, **{"size": SIZE, "first_size": SIZE, **options})  # type: ignore[arg-type]
    return [key for each in walked for key, _ in each.page.rows]


def test_an_empty_dataset_is_one_request() -> None:
    vendor = FakeVendor([])
    walked = list(walk(vendor.fetch, vendor.count, size=SIZE))
    assert [each.is_last for each in walked] == [True]
    assert vendor.requests == [RankRange(1, SIZE)]


def test_a_dataset_smaller_than_a_page_is_one_request() -> None:
    vendor = FakeVendor([at(n) for n in range(49)])
    assert sorted(ids(vendor)) == list(range(49))
    assert vendor.requests == [RankRange(1, SIZE)]


def test_pages_overlap_by_being_a_little_smaller_each_time() -> None:
    vendor = FakeVendor([at(n) for n in range(140)])
    assert set(ids(vendor)) == set(range(140))
    first, second, third, *front = vendor.requests
    assert [(ranks.first, ranks.end) for ranks in (first, second, third)] == [(0, 50), (48, 96), (94, 141)]
    assert front == [RankRange(1, SIZE)], "and the front is looked at again, once"
    assert vendor.counts == 0


def test_only_what_changed_is_read_and_the_first_page_is_small() -> None:
    vendor = FakeVendor([at(n) for n in range(500)])
    assert ids(vendor, since=at(495), first_size=10) == list(range(499, 489, -1))
    assert vendor.requests == [RankRange(1, 10)]


def test_records_at_the_watermark_itself_are_read_again() -> None:
    """A record may get its instant at the moment at which another one was read."""
    vendor = FakeVendor([at(n // 40) for n in range(200)])
    read = ids(vendor, since=at(3), first_size=45)
    assert set(range(120, 200)) <= set(read)


def test_more_changes_than_the_small_page_holds_need_one_large_page() -> None:
    vendor = FakeVendor([at(n) for n in range(500)])
    ids(vendor, since=at(460), first_size=10)
    assert vendor.requests == [RankRange(1, 10), RankRange(1, SIZE)]


def test_a_deletion_at_the_border_loses_nothing() -> None:
    vendor = FakeVendor([at(n) for n in range(120)], {2: [("delete", 119), ("delete", 118), ("delete", 117)]})
    assert set(range(117)) <= set(ids(vendor)), "three deletions are more than the pages overlap by"


def test_a_walk_to_the_end_finds_what_moved_to_the_front_meanwhile() -> None:
    vendor = FakeVendor([at(n) for n in range(120)], {2: [("touch", 3)], 3: [("touch", 4)]})
    walked = list(walk(vendor.fetch, vendor.count, size=SIZE))
    assert {key for each in walked for key, _ in each.page.rows} == set(range(120))


def test_reading_the_front_again_stops_at_the_former_first_record() -> None:
    """The walk once went back by a minute, and read 60,000 records again that had changed in that minute."""
    vendor = FakeVendor([at(n / 1000) for n in range(120)])
    list(walk(vendor.fetch, vendor.count, size=SIZE, first_size=5))
    assert vendor.requests[-1] == RankRange(1, 5)
    assert len(vendor.requests) == 4


def test_a_tie_larger_than_a_page_is_read_by_rank() -> None:
    vendor = FakeVendor([at(0)] * 170 + [at(1)] * 5 + [at(-1)] * 5)
    assert set(ids(vendor)) == set(range(180))


@pytest.mark.parametrize("dataset", [[at(n) for n in range(120)], [at(0)] * 120])
def test_a_vendor_that_ignores_the_page_is_detected(dataset: list[object]) -> None:
    same = FakePage(tuple(enumerate(dataset[:SIZE])))  # type: ignore[arg-type]
    with pytest.raises(PagesRepeat):
        list(walk(lambda _: same, lambda: 120, size=SIZE))


def test_pages_too_small_to_overlap_end_in_an_error_not_in_a_loop() -> None:
    vendor = FakeVendor([at(n) for n in range(500)])
    with pytest.raises(PageSizeTooSmall):
        ids(vendor, size=5)


@pytest.mark.parametrize("size", [1_000, 50_000])
def test_the_farthest_page_always_begins_in_time_and_makes_progress(size: int) -> None:
    for reach in [*range(0, 20 * size, size // 7), *range(size - 3, size + 3), *range(7 * size - 3, 7 * size + 3)]:
        ranks = farthest(reach, size)
        assert ranks.first <= reach
        assert ranks.size <= size
        assert ranks.end >= reach + min(size, reach or size) // 2 - 20
