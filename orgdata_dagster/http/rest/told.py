"""Paginators for lists whose answers say where they go on: by a cursor, or by a link.

Here: `Cursor` and `Link`. Keep out: lists that are counted, and what all paginators share (paginators.py).
"""

from __future__ import annotations

from typing import Any

from orgdata_dagster.http.errors import PermanentError
from orgdata_dagster.http.redaction import excerpt
from orgdata_dagster.http.rest import links
from orgdata_dagster.http.rest.answers import PageAnswer, PageRequest
from orgdata_dagster.http.rest.paginators import Paginator, endless, flag, shown
from orgdata_dagster.http.rest.paths import MISSING


class _Told(Paginator):
    """What cursors and links share: the vendor says where it goes on, and the same place never comes twice."""

    def __init__(
        self,
        *,
        page_size: int | None = None,
        size_parameter: str = "",
        has_more: str = "",
        end: str = "",
        total_at: str = "",
    ) -> None:
        super().__init__(total_at)
        self._page_size = page_size
        self._size_parameter = size_parameter
        self._has_more = has_more
        self._end = end
        self._next: str | int | None = None
        self._seen: set[str | int] = set()
        self._ever_told = False

    def _place(self, answer: PageAnswer) -> Any:
        raise NotImplementedError

    _named = ""

    def _set_size(self, request: PageRequest) -> None:
        if self._size_parameter and self._page_size:
            request.set(self._size_parameter, self._page_size)

    def _advance(self, answer: PageAnswer) -> bool:
        place = self._place(answer)
        self._ever_told = self._ever_told or place is not MISSING
        if self._has_more and not flag(answer, self._has_more):
            return False
        if self._end and flag(answer, self._end):
            return False
        if place is MISSING or place is None or place is False or place in ("", [], {}):
            if self._has_more or self._end:
                raise endless(f"more rows are announced ({self._has_more or self._end}), but {self._named} is empty")
            full = self._page_size is not None and len(answer.rows) >= self._page_size
            if full and not self._ever_told:
                self.doubt = f"the page is full and says nothing at {self._named}: is that the right place?"
            return False
        if not isinstance(place, str | int):
            raise PermanentError(f"{self._named} is neither text nor a number: {shown(place)}")
        if place in self._seen:
            raise endless(f"{self._named} {excerpt(str(place), 60)!r} came twice")
        self._seen.add(place)
        self._next = place
        return True


class Cursor(_Told):
    """Hands back the cursor of the body or of a header: `{"meta": {"next_cursor": "255"}}`."""

    def __init__(self, *, cursor_at: str, parameter: str, **options: Any) -> None:
        super().__init__(**options)
        self._cursor_at = self._named = cursor_at
        self._parameter = parameter

    def update_request(self, request: PageRequest) -> None:
        """Set the cursor; nothing for the first page."""
        if self._next is not None:
            request.set(self._parameter, self._next)
        self._set_size(request)

    def _place(self, answer: PageAnswer) -> Any:
        return answer.find(self._cursor_at)


class Link(_Told):
    """Follows the link of the body, `{"next": "https://..."}`, or of the `Link` header with `rel="next"`.

    `next_at`: the path of the link; empty for the header. `stands_at_row`: the link holds a cursor, not a number.
    """

    def __init__(self, *, next_at: str = "", relation: str = "next", stands_at_row: bool = False, **options: Any):
        super().__init__(**options)
        self._next_at = next_at
        self._relation = relation
        self._named = next_at or f'the Link header with rel="{relation}"'
        self.stands_at_row = stands_at_row

    def update_request(self, request: PageRequest) -> None:
        """Ask for the link; the first page is asked for as the table says."""
        if self._next is None:
            self._set_size(request)
        else:
            request.link = str(self._next)

    def _place(self, answer: PageAnswer) -> Any:
        if self._next_at:
            return answer.find(self._next_at)
        return links.link_of(answer.headers.get("link", ""), self._relation) or (
            MISSING if "link" not in answer.headers else None
        )
