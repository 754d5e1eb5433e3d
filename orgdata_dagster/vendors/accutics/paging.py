"""Both pagings of accutics as paginator objects (dlt's words), chosen by `paging` in defs.yaml and never guessed.

Here: which page is asked for next, and when a list has ended: where `next` or `next_cursor` is null, nowhere else,
since the vendor clamps page sizes without a word. Add here when: the document has another paging.
Keep out: requests (client.py), rows that move while they are paged but for the one step back below (walk.py).

Links are never followed, only looked at: one that leads to another host is refused, and no token goes there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

import httpx

from orgdata_dagster.http.errors import PermanentError
from orgdata_dagster.http.origin import resolve
from orgdata_dagster.http.redaction import excerpt

Paging = Literal["page", "cursor"]
Pagination = Mapping[str, Any]
Rows = Sequence[Any]

_SAME_PAGE = 3  # in a row: rows that move forward may bring a page twice, but hardly three times


class Paginator(Protocol):
    """Asks for one page after the other until there is none."""

    @property
    def has_next_page(self) -> bool:
        """Whether another page is to be asked for; true before the first."""

    def update_request(self, params: dict[str, str]) -> None:
        """Add to the query what names the page."""

    def update_state(self, pagination: Pagination, rows: Rows) -> None:
        """Take in `meta.pagination` and the rows of the page that was asked for. Raises PermanentError, UnsafeUrl."""


def paginator(paging: Paging, base_url: str, page_size: int) -> Paginator:
    """The paginator for a list; `base_url` is where links may lead, `page_size` what is asked for at most."""
    return PageNumberPaginator(base_url, page_size) if paging == "page" else CursorPaginator(base_url, page_size)


class _Checks:
    """What holds for the pages of both pagings."""

    def __init__(self, base_url: str, page_size: int) -> None:
        self.has_next_page = True
        self._base_url = base_url
        self._page_size = page_size
        self._last: str | None = None
        self._times = 0

    def _link(self, pagination: Pagination) -> str | None:
        link = pagination.get("next")
        if link is not None and not isinstance(link, str):
            raise PermanentError(f"`next` is no link: {excerpt(json.dumps(link), 100)}")
        return resolve(self._base_url, link) if link is not None else None

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
        self.total: int | None = None

    def update_request(self, params: dict[str, str]) -> None:
        """Add `page_size`, and `page` where it is not the first."""
        params["page_size"] = str(self._page_size)
        if self.page > 1:
            params["page"] = str(self.page)

    def update_state(self, pagination: Pagination, rows: Rows) -> None:
        """Go on to the next page, or back where rows have moved up."""
        total, size = _whole(pagination, "total_items", 0), _whole(pagination, "items_per_page", 1)
        link = self._link(pagination)
        self._check_onward(link, str(pagination.get("page_param") or "page"))
        fell = (self.total or 0) - total
        self.total = total
        if fell > 0 and self.page > 1:
            self.page = max(1, self.page + fell // -size)
            self._last = None  # going back brings the same page again
        elif link is None:
            self.has_next_page = False
        else:
            self._not_again(rows)
            self.page += 1

    def _check_onward(self, link: str | None, name: str) -> None:
        number = httpx.URL(link).params.get(name, "") if link else ""
        if number.isdecimal() and int(number) <= self.page:
            raise _endless(f"page {self.page} names page {int(number)} as the next one")


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
        if "next_cursor" not in pagination:
            raise _other_paging("page", "next_cursor", pagination)
        self._link(pagination)
        following = pagination["next_cursor"]
        if following is None:
            self.has_next_page = False
            return
        if rows:  # a page whose rows were all filtered out is no repetition
            self._not_again(rows)
        self._cursor = str(following)
        if self._cursor in self._seen:
            raise _endless(f"the cursor {excerpt(self._cursor, 60)!r} came twice")
        self._seen.add(self._cursor)


def _whole(pagination: Pagination, name: str, least: int) -> int:
    value = pagination.get(name)
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
