"""Paginators for lists whose answers name the next page: by a cursor, or by a link.

Here: `Cursor` and `Link`. Keep out: counted lists, and what all paginators share (paginators.py).
"""

from __future__ import annotations

from typing import Any

from orgdata_dagster.http.errors import PermanentError
from orgdata_dagster.http.redaction import excerpt
from orgdata_dagster.http.rest import links
from orgdata_dagster.http.rest.answers import PageAnswer, PageRequest, flag, shown
from orgdata_dagster.http.rest.following import following, is_nothing, may_be_nothing
from orgdata_dagster.http.rest.paginators import Paginator
from orgdata_dagster.http.rest.paths import MISSING


class _NextPagePaginator(Paginator):
    """Base of cursors and links: every answer names the next page, and never the same page twice."""

    _named = ""

    def __init__(self, *, has_more: str = "", end: str = "", **options: Any) -> None:
        super().__init__(**options)
        self._has_more = has_more
        self._end = end
        self._next: str | int | None = None
        self._seen: set[str | int] = set()
        self._ever_present = False

    def _place(self, answer: PageAnswer) -> Any:
        """The next page's cursor or link in the answer; MISSING if it has none."""
        raise NotImplementedError

    def _advance(self, answer: PageAnswer) -> bool:
        place = self._place(answer)
        self._ever_present = self._ever_present or place is not MISSING
        if self._has_more and not flag(answer, self._has_more):
            return False
        if self._end and flag(answer, self._end):
            return False
        if place is MISSING or is_nothing(place):
            if self._has_more or self._end:
                more = self._has_more or self._end
                raise self._endless(f"according to {more} more rows follow, but {self._named} is empty")
            full = self.page_size is not None and len(answer.rows) >= self.page_size
            if full and not self._ever_present:
                self.may_continue = f"the page is full and has nothing at {self._named}: check that path"
            return False
        if not isinstance(place, str | int):
            raise PermanentError(f"{self._named} is neither text nor a number: {shown(place)}")
        if place in self._seen:
            raise self._endless(f"{self._named} {excerpt(str(place), 60)!r} came twice")
        self._seen.add(place)
        self._next = place
        return True


class Cursor(_NextPagePaginator):
    """Sends the cursor of the last answer: `{"meta": {"next_cursor": "255"}}`.

    next_at: path of the next page's link, if the answer has both. The link is used if the cursor is missing, and it
    decides about cursors such as "null" and 0. An answer with neither is an error.
    """

    def __init__(self, *, cursor_at: str, parameter: str, next_at: str = "", **options: Any) -> None:
        super().__init__(**options)
        self._cursor_at = self._named = cursor_at
        self._parameter = parameter
        self._next_at = next_at

    def update_request(self, request: PageRequest) -> None:
        """Set the cursor; the first page has none."""
        super().update_request(request)
        if self._next is not None:
            request.set(self._parameter, self._next)

    def _place(self, answer: PageAnswer) -> Any:
        found = answer.find(self._cursor_at)
        if not self._next_at:
            return found
        link = following(answer, self._next_at, self._parameter)
        if found is not MISSING:
            return None if link.end and may_be_nothing(found) else found
        if link.value is None and link.end is not True:
            raise PermanentError(
                f"there is no cursor at {self._cursor_at!r} nor in the link at {self._next_at!r}",
                remedy=self._remedy or "Correct `cursor` and `next` of the paginator in defs.yaml.",
            )
        return link.value


class Link(_NextPagePaginator):
    """Follows the link in the body, `{"next": "https://..."}`, or in the `Link` header with `rel="next"`.

    next_at: path of the link; empty for the header.
    stands_at_row: whether the link contains a cursor, not a page number.
    """

    def __init__(self, *, next_at: str = "", relation: str = "next", stands_at_row: bool = False, **options: Any):
        super().__init__(**options)
        self._next_at = next_at
        self._relation = relation
        self._named = next_at or f'the Link header with rel="{relation}"'
        self.stands_at_row = stands_at_row

    def update_request(self, request: PageRequest) -> None:
        """Request the link. The first request is the one in the table's configuration."""
        if self._next is None:
            super().update_request(request)
        else:
            request.link = str(self._next)

    def _place(self, answer: PageAnswer) -> Any:
        if self._next_at:
            return answer.find(self._next_at)
        return links.link_of(answer.headers.get("link", ""), self._relation) or (
            MISSING if "link" not in answer.headers else None
        )
