"""The two pagings of accutics as paginators (dlt's term), chosen by `paging` in defs.yaml and never guessed.

Here: which page is requested next, and where a list ends: only where `next` or `next_cursor` says so, because the
vendor silently limits page sizes. Add here when: the document has another paging.
Keep out: requests (client.py), repeating a walk because rows have moved (http/rest/walk.py).

Links are never followed, only read (links.py).
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

_SAME_PAGE = 3  # times in a row; moving rows may repeat a page twice, but hardly three times


class Paginator(Protocol):
    """Requests one page after the other until there is none."""

    @property
    def has_next_page(self) -> bool:
        """Whether another page must be requested; true before the first."""

    @property
    def total(self) -> int | None:
        """The vendor's number of rows, if the paging has it."""

    def update_request(self, params: dict[str, str]) -> None:
        """Add the page to the query parameters."""

    def update_state(self, pagination: Pagination, rows: Rows) -> None:
        """Process `meta.pagination` and the rows of the requested page. Raises PermanentError."""


def paginator(paging: Paging, base_url: str, page_size: int) -> Paginator:
    """The paginator of a list. `base_url`: the origin that links may have. `page_size`: most rows per page."""
    return PageNumberPaginator(base_url, page_size) if paging == "page" else CursorPaginator(base_url, page_size)


class _Checks:
    """What both pagings share."""

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

    If `total_items` fell since the last page, rows have left the list and later rows have moved up. At most as many
    rows are now before the requested page, so the paginator steps back by as many pages. A few pages without rows, one
    after the other, end the walk, which then lacks rows that `total_items` counts.
    """

    def __init__(self, base_url: str, page_size: int) -> None:
        super().__init__(base_url, page_size)
        self.page = 1
        self._empty = 0

    def update_request(self, params: dict[str, str]) -> None:
        """Add `page_size`, and `page` except for the first page."""
        params["page_size"] = str(self._page_size)
        if self.page > 1:
            params["page"] = str(self.page)

    def update_state(self, pagination: Pagination, rows: Rows) -> None:
        """Continue with the next page, or step back if rows have moved up."""
        total, size = _whole(pagination, "total_items", 0), _whole(pagination, "items_per_page", 1)
        following = links.following(pagination, str(pagination.get("page_param") or "page"), self._base_url)
        fell = (self.total or 0) - total
        self.total = total
        if fell > 0 and self.page > 1:
            self.page = max(1, self.page + fell // -size)
            self._last = None  # stepping back repeats a page
        elif self._is_last(following, rows, reached=self.page * size >= total) or self._is_gone(rows):
            self.has_next_page = False
        else:
            if rows:
                self._not_again(rows)
            self.page += 1

    def _is_gone(self, rows: Rows) -> bool:
        """Whether this is one page too many without rows."""
        self._empty = 0 if rows else self._empty + 1
        return self._empty == _SAME_PAGE

    def _is_last(self, following: links.Following, rows: Rows, *, reached: bool) -> bool:
        """Whether the list ends here. `reached`: the pages so far have the vendor's number of rows."""
        if following.end is not None:
            return following.end
        number = following.value
        if number is not None and number.isdecimal() and int(number) <= self.page:
            if reached:  # the last page names itself
                return True
            raise _endless(f"page {self.page} names page {int(number)} as the next one")
        return reached and (not rows or not following.is_told)


class CursorPaginator(_Checks):
    """Sends every `next_cursor` back until it is null:

    {"next_cursor": "255", "next": "https://.../records?cursor=255", "items_per_page": 100, ...}
    """

    def __init__(self, base_url: str, page_size: int) -> None:
        super().__init__(base_url, page_size)
        self._cursor: str | None = None
        self._seen: set[str] = set()

    def update_request(self, params: dict[str, str]) -> None:
        """Add `page_size`, and `cursor` except for the first page."""
        params["page_size"] = str(self._page_size)
        if self._cursor is not None:
            params["cursor"] = self._cursor

    def update_state(self, pagination: Pagination, rows: Rows) -> None:
        """Continue after the page's last row."""
        following = links.following(pagination, str(pagination.get("cursor_param") or "cursor"), self._base_url)
        cursor = links.cursor(pagination, following)
        if cursor is None and following.end is not True and "next_cursor" not in pagination:
            raise _other_paging("page", "next_cursor", pagination)
        if cursor is None:
            self.has_next_page = False
            return
        if rows:  # a page without rows is not a repetition
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
        f"meta.pagination has no valid {name!r}: {excerpt(json.dumps(pagination), 200)}",
        remedy=f"If this list has the other paging, set `paging: {other}` in defs.yaml.",
    )


def _endless(message: str) -> PermanentError:
    return PermanentError(f"the paging does not end: {message}", remedy="Check `paging` and `path` in defs.yaml.")
