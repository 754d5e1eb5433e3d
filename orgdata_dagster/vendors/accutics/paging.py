"""Both pagings of accutics as paginator objects (dlt's words), chosen by `paging` in defs.yaml and never guessed.

Here: which page is asked for next, and when a list has ended: where `next` or `next_cursor` says so, nowhere else,
since the vendor clamps page sizes without a word. Add here when: the document has another paging.
Keep out: requests (client.py), rows that move while they are paged but for the one step back below (walk.py).

Links are never followed, only looked at (links.py): no token goes where they lead.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

from orgdata_dagster.http.errors import PermanentError
from orgdata_dagster.http.redaction import excerpt
from orgdata_dagster.vendors.accutics import links

Paging = Literal["page", "cursor"]
Pagination = Mapping[str, Any]
Rows = Sequence[Any]

_SAME_PAGE = 3  # in a row: rows that move forward may bring a page twice, but hardly three times


class Paginator(Protocol):
    """Asks for one page after the other until there is none."""

    @property
    def has_next_page(self) -> bool:
        """Whether another page is to be asked for; true before the first."""

    @property
    def total(self) -> int | None:
        """The rows that the vendor says there are, where the paging tells that."""

    def update_request(self, params: dict[str, str]) -> None:
        """Add to the query what names the page."""

    def update_state(self, pagination: Pagination, rows: Rows) -> None:
        """Take in `meta.pagination` and the rows of the page that was asked for. Raises PermanentError."""


def paginator(paging: Paging, base_url: str, page_size: int) -> Paginator:
    """The paginator for a list; `base_url` is where links may lead, `page_size` what is asked for at most."""
    return PageNumberPaginator(base_url, page_size) if paging == "page" else CursorPaginator(base_url, page_size)


class _Checks:
    """What holds for the pages of both pagings."""

    total: int | None = None

    def __init__(self, base_url: str, page_size: int) -> None:
        self.has_next_page = True
        self._base_url = base_url
        self._page_size = page_size
        self._last: str | None = None
        self._times = 0

    def _not_again(self, rows: Rows) -> None:
        page = json.dumps(rows)
        self._times = self._times + 1 if page == self._last else 1
        self._last = page
        if self._times == _SAME_PAGE:
            raise _endless(f"the same page of {len(rows)} rows came {_SAME_PAGE} times in a row")


class PageNumberPaginator(_Checks):
    """Counts pages up until `next` is null:

        {"next": "https://.../records?page=3", "items_per_page": 100, "total_items": 245, ...}

    Where `total_items` fell since the last page, rows have left the list and what was to come has moved up: at most so
    many rows are now before the page that was asked for, so it goes back by as many pages.
    """

    def __init__(self, base_url: str, page_size: int) -> None:
        super().__init__(base_url, page_size)
        self.page = 1

    def update_request(self, params: dict[str, str]) -> None:
        """Add `page_size`, and `page` where it is not the first."""
        params["page_size"] = str(self._page_size)
        if self.page > 1:
            params["page"] = str(self.page)

    def update_state(self, pagination: Pagination, rows: Rows) -> None:
        """Go on to the next page, or back where rows have moved up."""
        total, size = _whole(pagination, "total_items", 0), _whole(pagination, "items_per_page", 1)
        following = links.following(pagination, str(pagination.get("page_param") or "page"), self._base_url)
        fell = (self.total or 0) - total
        self.total = total
        if fell > 0 and self.page > 1:
            self.page = max(1, self.page + fell // -size)
            self._last = None  # going back brings the same page again
        elif self._is_last(following, rows, reached=self.page * size >= total):
            self.has_next_page = False
        else:
            self._not_again(rows)
            self.page += 1

    def _is_last(self, following: links.Following, rows: Rows, *, reached: bool) -> bool:
        """Whether the list ends here. `reached`: the pages so far hold as many rows as the vendor says there are."""
        if following.end is not None:
            return following.end
        number = following.value
        if number is not None and number.isdecimal() and int(number) <= self.page:
            if reached:  # the last page names itself
                return True
            raise _endless(f"page {self.page} names page {int(number)} as the next one")
        return reached and (not rows or not following.is_told)


class CursorPaginator(_Checks):
    """Hands every `next_cursor` back until it is null:

    {"next_cursor": "255", "next": "https://.../records?cursor=255", "items_per_page": 100, ...}
    """

    def __init__(self, base_url: str, page_size: int) -> None:
        super().__init__(base_url, page_size)
        self._cursor: str | None = None
        self._seen: set[str] = set()

    def update_request(self, params: dict[str, str]) -> None:
        """Add `page_size`, and `cursor` where it is not the first page."""
        params["page_size"] = str(self._page_size)
        if self._cursor is not None:
            params["cursor"] = self._cursor

    def update_state(self, pagination: Pagination, rows: Rows) -> None:
        """Go on behind the page's last row."""
        following = links.following(pagination, str(pagination.get("cursor_param") or "cursor"), self._base_url)
        cursor = links.cursor(pagination, following)
        if cursor is None and following.end is not True and "next_cursor" not in pagination:
            raise _other_paging("page", "next_cursor", pagination)
        if cursor is None:
            self.has_next_page = False
            return
        if rows:  # a page whose rows were all filtered out is no repetition
            self._not_again(rows)
        self._cursor = cursor
        if self._cursor in self._seen:
            raise _endless(f"the cursor {excerpt(self._cursor, 60)!r} came twice")
        self._seen.add(self._cursor)


def _whole(pagination: Pagination, name: str, least: int) -> int:
    value = pagination.get(name)
    if isinstance(value, str) and value.isdecimal():
        value = int(value)
    if type(value) is not int or value < least:
        raise _other_paging("cursor", name, pagination)
    return value


def _other_paging(other: Paging, name: str, pagination: Pagination) -> PermanentError:
    return PermanentError(
        f"meta.pagination has no good {name!r}: {excerpt(json.dumps(pagination), 200)}",
        remedy=f"If this list pages the other way, write `paging: {other}` in defs.yaml.",
    )


def _endless(message: str) -> PermanentError:
    return PermanentError(f"the paging has no end: {message}", remedy="Check `paging` and `path` in defs.yaml.")
