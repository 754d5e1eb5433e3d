"""Paging through a dataset that changes, newest first, without losing a record.

Here: octolis' paging rule, as a pure function over "fetch this page". Keep out: requests (client.py), and which records
are requested (pulling.py).

The vendor sorts by `__modified_at__` and pages by rank: page p of size s has the ranks from (p - 1) * s on. Records
move during the walk. A changed record moves to the front and shifts the records before it back, so that the next page
repeats some of them. A deleted or merged record shifts later ones forward, so that the next page would start after a
record that was not read. Records with the same instant may be returned in another order each time.

Pages therefore overlap, and the walk goes by instants, not by ranks. Once every record above an instant has been read,
the next page must start above that instant; otherwise it is requested again from higher up. A page can start only at a
multiple of its size, so the next page is a little smaller than the last one (`farthest`).

A record that changes after the first page and before its own page is on neither of them: it is at the front now. A full
walk therefore reads the front again at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeVar

MAX_PAGE_SIZE = 50_000  # the document's maximum, and its default
FIRST_PAGE_SIZE = 1_000  # usually enough for what changed since the last pull
_OVERLAP = 1 / 50  # of a page; covers the ties of a batch of 500 and as many deletions between two pages
_BACK_OFF = 2  # with a larger factor, a page could begin so far up that it cuts a large tie again
_CATCH_UPS = 3  # times that the front is read again
_FRUITLESS = 32  # pages in a row without progress; backing off doubles, so it reaches the front before that


class RecordPage(Protocol):
    """A fetched page.

    records: number of records.
    lowest, highest: the first and the last `__modified_at__`; None if there are no records.
    """

    @property
    def records(self) -> int: ...
    @property
    def lowest(self) -> datetime | None: ...
    @property
    def highest(self) -> datetime | None: ...


P = TypeVar("P", bound=RecordPage)


@dataclass(frozen=True)
class RankRange:
    """The ranks of page number `page` (from 1) of pages of `size` records: `first <= rank < end`."""

    page: int
    size: int

    @property
    def first(self) -> int:
        """The rank of the first record, from 0."""
        return (self.page - 1) * self.size

    @property
    def end(self) -> int:
        """The rank after the last record."""
        return self.page * self.size


@dataclass(frozen=True)
class RankedPage(Generic[P]):
    """A page that was read.

    is_last: whether the dataset ends on it, and every page before it was read.
    end: the rank after its last record.
    """

    page: P
    is_last: bool
    end: int


class PagesRepeat(Exception):
    """The vendor returns records after the end of the dataset: it ignores `page`."""


class NoProgress(Exception):
    """The vendor no longer returns records that it has returned before, however far up the page starts."""


class PageSizeTooSmall(Exception):
    """Pages of this size can no longer overlap at this rank."""


def walk(
    fetch: Callable[[RankRange], P],
    count: Callable[[], int],
    *,
    since: datetime | None = None,
    size: int = MAX_PAGE_SIZE,
    first_size: int = FIRST_PAGE_SIZE,
) -> Iterator[RankedPage[P]]:
    """Yield pages that together hold every record modified at `since` or later (None: every record), some twice.

    If a record is on several pages, its newest version is the right one. If the dataset ended before `since` was
    reached, one page has `is_last`, and the pages hold the whole dataset.

    count: returns the vendor's number of records. It is called only if a page has nothing new.
    size, first_size: records per page, and on the first page if `since` is given.

    Raises PagesRepeat, PageSizeTooSmall, NoProgress, and the errors of `fetch` and `count`.
    """
    size = min(size, MAX_PAGE_SIZE)
    top: datetime | None = None
    pages, ended = 0, False
    for walked in _descend(fetch, count, since, size, size if since is None else min(first_size, size)):
        top = top or walked.page.highest
        pages, ended = pages + 1, ended or walked.is_last
        yield walked
    for _ in range(_CATCH_UPS):
        if not ended or pages == 1 or top is None:
            return  # one page shows one moment: nothing can have moved
        front = list(_descend(fetch, count, top, size, min(first_size, size), shown=True))
        yield from front
        top, pages = front[0].page.highest, len(front)


def farthest(reach: int, size: int) -> RankRange:
    """Return the page that ends last, among pages of at most `size` records that begin at rank `reach` or before."""
    whole = reach // size
    candidates = [RankRange(whole + 1, size)]
    if smaller := reach // (whole + 1):
        candidates.append(RankRange(whole + 2, min(size, smaller)))
    return max(candidates, key=lambda ranks: ranks.end)


def _descend(
    fetch: Callable[[RankRange], P],
    count: Callable[[], int],
    since: datetime | None,
    size: int,
    first_size: int,
    *,
    shown: bool = False,
) -> Iterator[RankedPage[P]]:
    """Yield the pages from the front down to `since`, or to the end.

    shown: whether earlier answers had records.
    """
    overlap = back = max(2, round(size * _OVERLAP))  # at least two, because one of them must be above `known`
    known: datetime | None = None  # every record above this instant has been read
    inside = False  # more records share `known` than a page holds: read on among them, by rank
    doubtful = False  # a page was empty since the last one that joined: it may have led past `known`
    ranks = RankRange(1, first_size)
    reach = farthest_read = fruitless = 0
    while True:
        page = fetch(ranks)
        fruitless += 1
        if fruitless > _FRUITLESS:
            raise NoProgress(f"the pages after record {farthest_read} do not continue the pages before it")
        if page.highest is None and shown and ranks.first == 0:
            continue  # the first page of a dataset with records cannot be empty
        if not _joins(page, ranks, known, inside=inside):
            doubtful = doubtful or page.highest is None
            reach, back = max(0, min(reach, ranks.first) - back), back * _BACK_OFF
            ranks = farthest(reach, size)
            continue
        if ranks.end > farthest_read:
            farthest_read, fruitless = ranks.end, 0
        is_last, shown = page.records < ranks.size, shown or page.records > 0
        yield RankedPage(page, is_last, ranks.first + page.records)
        if is_last or page.lowest is None or (since is not None and page.lowest < since):
            return
        inside, doubtful = page.lowest == known and not doubtful, False
        if known is not None and page.lowest >= known and ranks.first > count() + size:
            raise PagesRepeat(f"page {ranks.page} of {ranks.size} records is after the end, but has records")
        known = page.lowest if known is None else min(known, page.lowest)
        reach, back = max(0, ranks.end - overlap), overlap
        following = farthest(reach, size)
        if following.end <= ranks.end:
            raise PageSizeTooSmall(f"pages of {size} records do not reach beyond record {ranks.end}")
        ranks = following


def _joins(page: RecordPage, ranks: RankRange, known: datetime | None, *, inside: bool) -> bool:
    """Whether no unread record can be between the earlier pages and this one."""
    if ranks.first == 0 or known is None:
        return True
    if page.highest is None:
        return False
    return page.highest > known or (inside and page.highest == known)
