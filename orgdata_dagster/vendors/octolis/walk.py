"""Paging through a dataset that changes, newest first, without losing a record.

Here: octolis' paging rule, as a pure function over "fetch this page". Keep out: everything else.

The vendor sorts by `__modified_at__` and pages by rank: page p of size s has the ranks from (p - 1) * s on. Records
move during the walk. A changed record moves to the front and shifts the records before it back, so that the next page
repeats some. A deleted or merged record shifts later ones forward, so that the next page would start after a record
that was not read. Records with the same instant may come in another order each time.

Pages therefore overlap, and instants count, not ranks: once every record above an instant was read, the next page must
start above that instant, or it is requested again from further up. A page cannot start at any rank, only at multiples
of its size, so the next page is a little smaller than the last one (`farthest`).

A record that changes after the first page and before its own page is on neither; it is at the front now. A full walk
therefore reads the front again at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeVar

MAX_PAGE_SIZE = 50_000  # the document's maximum, and its default
FIRST_PAGE_SIZE = 1_000  # enough to see what changed since the last time, most times
_OVERLAP = 1 / 50  # of a page; covers the ties of a batch of 500 and as many deletions between two pages
_BACK_OFF = 2  # by more, a page could begin so far up that a large tie is cut again
_CATCH_UPS = 3
_FRUITLESS = 32  # pages in a row that bring the walk no further: backing off doubles, and reaches any rank before that


class Page(Protocol):
    """A fetched page: its number of records and the instants between which they lie (None if there are none)."""

    @property
    def records(self) -> int: ...
    @property
    def lowest(self) -> datetime | None: ...
    @property
    def highest(self) -> datetime | None: ...


P = TypeVar("P", bound=Page)


@dataclass(frozen=True)
class Span:
    """Page number `page` of pages of `size` records: the ranks from `first` up to and without `end`."""

    page: int
    size: int

    @property
    def first(self) -> int:
        """The rank of its first record, from 0."""
        return (self.page - 1) * self.size

    @property
    def end(self) -> int:
        """The rank after its last record."""
        return self.page * self.size


@dataclass(frozen=True)
class Leaf(Generic[P]):
    """A page that was read. `is_last`: the dataset ends on it, and every page before it was read. `end`: the rank
    behind its last record."""

    page: P
    is_last: bool
    end: int


class PagesRepeat(Exception):
    """The vendor answers after the end of the dataset: it does not understand `page`."""


class NoProgress(Exception):
    """The vendor answers without records that it has returned before, however far up the page starts."""


class PageSizeTooSmall(Exception):
    """Pages of this size can no longer overlap at this rank."""


def walk(
    fetch: Callable[[Span], P],
    count: Callable[[], int],
    *,
    since: datetime | None = None,
    size: int = MAX_PAGE_SIZE,
    first_size: int = FIRST_PAGE_SIZE,
) -> Iterator[Leaf[P]]:
    """Yield pages that together hold every record modified at `since` or later (None: every record), some twice.

    Of a record that is on several pages the newest version is the right one. If the dataset ended before `since`
    was reached, a leaf is `is_last`, and the pages hold every record there is. `count` is the vendor's number of
    records; it is asked for only where pages bring nothing new.

    Raises PagesRepeat, PageSizeTooSmall, NoProgress.
    """
    size = min(size, MAX_PAGE_SIZE)
    top: datetime | None = None
    pages, ended = 0, False
    for leaf in _descend(fetch, count, since, size, size if since is None else min(first_size, size)):
        top = top or leaf.page.highest
        pages, ended = pages + 1, ended or leaf.is_last
        yield leaf
    for _ in range(_CATCH_UPS):
        if not ended or pages == 1 or top is None:
            return  # one page is one moment: nothing can have moved
        front = list(_descend(fetch, count, top, size, min(first_size, size), shown=True))
        yield from front
        top, pages = front[0].page.highest, len(front)


def farthest(reach: int, size: int) -> Span:
    """Of the pages of at most `size` records that begin at rank `reach` or before, the one that ends last."""
    whole = reach // size
    spans = [Span(whole + 1, size)]
    if smaller := reach // (whole + 1):
        spans.append(Span(whole + 2, min(size, smaller)))
    return max(spans, key=lambda span: span.end)


def _descend(
    fetch: Callable[[Span], P],
    count: Callable[[], int],
    since: datetime | None,
    size: int,
    first_size: int,
    *,
    shown: bool = False,
) -> Iterator[Leaf[P]]:
    """Yield the pages from the front down to `since`, or to the end. `shown`: records were returned before."""
    overlap = back = max(2, round(size * _OVERLAP))  # two, since one of them has to lie above `known`
    known: datetime | None = None  # every record above this instant has been read
    inside = False  # more records share `known` than a page holds: read on among them, by rank
    span = Span(1, first_size)
    reach = farthest_read = fruitless = 0
    while True:
        page = fetch(span)
        fruitless += 1
        if fruitless > _FRUITLESS:
            raise NoProgress(f"behind record {farthest_read} the answers do not join those before")
        if page.highest is None and shown and span.first == 0:
            continue  # the front of a dataset that has records cannot be empty
        if not _joins(page, span, known, inside=inside):
            reach, back = max(0, min(reach, span.first) - back), back * _BACK_OFF
            span = farthest(reach, size)
            continue
        if span.end > farthest_read:
            farthest_read, fruitless = span.end, 0
        is_last, shown = page.records < span.size, shown or page.records > 0
        yield Leaf(page, is_last, span.first + page.records)
        if is_last or page.lowest is None or (since is not None and page.lowest < since):
            return
        inside = page.lowest == known
        if known is not None and page.lowest >= known and span.first > count() + size:
            raise PagesRepeat(f"page {span.page} of {span.size} records lies behind the end, and is not empty")
        known = page.lowest if known is None else min(known, page.lowest)
        reach, back = max(0, span.end - overlap), overlap
        following = farthest(reach, size)
        if following.end <= span.end:
            raise PageSizeTooSmall(f"pages of {size} records do not reach beyond record {span.end}")
        span = following


def _joins(page: Page, span: Span, known: datetime | None, *, inside: bool) -> bool:
    """Whether no unread record can be between the pages before and this one."""
    if span.first == 0 or known is None:
        return True
    if page.highest is None:
        return False
    return page.highest > known or (inside and page.highest == known)
