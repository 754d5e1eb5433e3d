"""Both kinds of paging of accutics: the content of `meta.pagination`, exactly as in the two JSON schemas.

Here: the parameters of a page, their errors, absolute URLs of other pages.
Add here when: the document has another kind of paging.
Keep out: rows (`entity`).
"""

from collections.abc import Mapping
from typing import Any

from starlette.datastructures import URL

from orgdata_dagster.sandbox.accutics.problems import Problem

PAGE, SIZE, CURSOR = "page", "page_size", "cursor"


def size_of(params: Mapping[str, str], default: int, most: int) -> int:
    """The page size, silently limited to the maximum. Raises Problem `invalid_page_size`."""
    return min(_positive(params, SIZE, default), most)


def page_of(params: Mapping[str, str]) -> int:
    """The page number, from 1. Raises Problem `invalid_page`."""
    return _positive(params, PAGE, 1)


def cursor_of(params: Mapping[str, str]) -> int:
    """The cursor; 0 for the first page. Raises Problem `invalid_cursor`."""
    return _positive(params, CURSOR, 1) if CURSOR in params else 0


def page_meta(url: URL, page: int, size: int, total: int) -> dict[str, Any]:
    """`meta.pagination` of a page by number; an empty list has one page."""
    last = max(1, -(-total // size))

    def at(number: int) -> str:
        return str(url.include_query_params(**{PAGE: number, SIZE: size}))

    return {
        "first": at(1),
        "previous": at(page - 1) if page > 1 else None,
        "current": at(page),
        "next": at(page + 1) if page < last else None,
        "last": at(last),
        "items_per_page": size,
        "total_items": total,
        "page_param": PAGE,
        "size_param": SIZE,
    }


def cursor_meta(url: URL, size: int, following: int | None) -> dict[str, Any]:
    """`meta.pagination` of a page by cursor. `following`: the cursor of the next page."""
    return {
        "current": str(url),
        "next": None if following is None else str(url.include_query_params(**{CURSOR: following, SIZE: size})),
        "items_per_page": size,
        "next_cursor": None if following is None else str(following),
        "cursor_param": CURSOR,
        "size_param": SIZE,
    }


def _positive(params: Mapping[str, str], name: str, default: int) -> int:
    text = params.get(name, str(default))
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise Problem(400, f"invalid_{name}", f"{name} must be a positive integer", {name: text})
    return int(text)
