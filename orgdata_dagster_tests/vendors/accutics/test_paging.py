"""Both paginators: the pagination objects of vendor_apis/accutics.md, and vendors that lead in circles."""

from typing import Any

import pytest

from orgdata_dagster.http.errors import PermanentError
from orgdata_dagster.vendors.accutics import links
from orgdata_dagster.vendors.accutics.paging import CursorPaginator, PageNumberPaginator, Paginator, Paging, paginator

BASE = "https://api.example.org/v1"


def numbered(page: int, total: int, size: int = 10, **changes: Any) -> dict[str, Any]:
    return {
        "next": f"{BASE}/x?page={page + 1}&page_size={size}" if page * size < total else None,
        "items_per_page": size,
        "total_items": total,
        "page_param": "page",
        "size_param": "page_size",
    } | changes


def cursor(following: object) -> dict[str, Any]:
    link = None if following is None else f"{BASE}/x?cursor={following}"
    return {"next": link, "next_cursor": following, "items_per_page": 10, "cursor_param": "cursor"}


def asked(pages: Paginator) -> dict[str, str]:
    params: dict[str, str] = {}
    pages.update_request(params)
    return params


def test_by_number_until_next_is_null_although_the_size_was_clamped() -> None:
    pages = PageNumberPaginator(BASE, 500)
    sent = []
    for number in (1, 2, 3):
        assert pages.has_next_page
        sent.append(asked(pages))
        pages.update_state(numbered(number, 25), [{"id": number}])
    assert not pages.has_next_page
    assert sent == [{"page_size": "500"}, {"page_size": "500", "page": "2"}, {"page_size": "500", "page": "3"}]


def test_by_cursor_until_next_cursor_is_null() -> None:
    pages = CursorPaginator(BASE, 500)
    sent = []
    for number, following in enumerate(("255", 342, None)):
        sent.append(asked(pages))
        pages.update_state(cursor(following), [{"id": number}])
    assert not pages.has_next_page
    assert [params.get("cursor") for params in sent] == [None, "255", "342"]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [(25, 25, "4"), (40, 41, "4"), (40, 39, "2"), (40, 30, "2"), (40, 29, None), (60, 5, None)],
)
def test_a_list_that_shrank_is_read_again_from_where_its_rows_have_moved_to(
    before: int, after: int, expected: str | None
) -> None:
    pages = PageNumberPaginator(BASE, 10)
    pages.update_state(numbered(1, before), [1])
    pages.update_state(numbered(2, before), [2])
    pages.update_state(numbered(3, after, next=f"{BASE}/x?page=4"), [3])
    assert pages.has_next_page
    assert asked(pages).get("page") == expected


def test_a_list_that_shrank_at_its_end_is_not_over() -> None:
    pages = PageNumberPaginator(BASE, 10)
    pages.update_state(numbered(1, 11), [1])
    pages.update_state(numbered(2, 10), [])
    assert pages.has_next_page
    pages.update_state(numbered(1, 10), [1])
    assert not pages.has_next_page


FOREIGN = [
    "https://internal.acme.lan:8443/v1/x?page=2&cursor=2",
    "http://api.example.org/v1/x?page=2&cursor=2",
    "//evil.example/x?cursor=2&page=2",
    "/v1/x?page=2&cursor=2",
    "https://[x?page=2",
]


@pytest.mark.parametrize("paging", ["page", "cursor"])
@pytest.mark.parametrize("link", FOREIGN)
def test_a_foreign_link_is_a_warning_once(paging: Paging, link: str, caplog: pytest.LogCaptureFixture) -> None:
    """Behind a proxy links have another scheme or an internal host; only the number or cursor in them counts."""
    links._warn_once.cache_clear()
    pages = paginator(paging, BASE, 10)
    for number in (1, 2):
        found = numbered(number, 30, next=link) if paging == "page" and number == 1 else numbered(number, 30)
        pages.update_state({**cursor(str(number + 1)), "next": link} if paging == "cursor" else found, [number])
    assert pages.has_next_page
    assert asked(pages)[paging] == "3"
    assert len(caplog.records) == (0 if link.startswith("/v1") else 1)


@pytest.mark.parametrize("end", [None, "", False, " ", "null", "None", [], {}, {"href": None}])
def test_other_spellings_of_no_further_page(end: object) -> None:
    pages = PageNumberPaginator(BASE, 10)
    pages.update_state(numbered(1, 5, next=end), [1])
    by_cursor = CursorPaginator(BASE, 10)
    by_cursor.update_state({**cursor(None), "next_cursor": end if not isinstance(end, dict) else None}, [1])
    assert (pages.has_next_page, by_cursor.has_next_page) == (False, False)


@pytest.mark.parametrize(
    ("changes", "is_over"),
    [
        ({"next": 2}, False),
        ({"next": True}, False),
        ({"next": {"href": f"{BASE}/x?page=2"}}, False),
        ({"total_items": "25", "items_per_page": "10"}, False),
        ({"next": f"{BASE}/x?page=1", "total_items": 10}, True),  # the last page names itself
        ({"next": 1, "total_items": 10}, True),
    ],
)
def test_other_spellings_of_the_next_page(changes: dict[str, Any], is_over: bool) -> None:
    pages = PageNumberPaginator(BASE, 10)
    pages.update_state(numbered(1, 25) | changes, [1])
    assert pages.has_next_page is not is_over


def test_without_next_the_total_decides() -> None:
    pages = PageNumberPaginator(BASE, 10)
    for number, more in ((1, True), (2, True), (3, False)):
        found = numbered(number, 25)
        del found["next"]
        pages.update_state(found, [number])
        assert pages.has_next_page is more


def test_a_next_that_never_ends_does_where_the_total_is_reached() -> None:
    pages = PageNumberPaginator(BASE, 10)
    for number, rows in ((1, [1]), (2, [2]), (3, [])):
        pages.update_state(numbered(number, 20, next=f"{BASE}/x?page={number + 1}"), rows)
    assert not pages.has_next_page


@pytest.mark.parametrize("word", ["0", "null", -1])
def test_a_cursor_that_may_mean_nothing(word: object) -> None:
    """It ends the list only where `next` says so too."""
    pages = CursorPaginator(BASE, 10)
    pages.update_state({**cursor("7"), "next_cursor": word}, [1])
    assert asked(pages)["cursor"] == str(word)
    pages.update_state({**cursor(None), "next_cursor": word}, [2])
    assert not pages.has_next_page


def test_the_cursor_may_stand_in_the_link_alone_or_be_left_out_at_the_end() -> None:
    pages = CursorPaginator(BASE, 10)
    found = cursor("7")
    del found["next_cursor"]
    pages.update_state(found, [1])
    assert asked(pages)["cursor"] == "7"
    pages.update_state({"next": None, "items_per_page": 10}, [2])
    assert not pages.has_next_page


def test_a_next_page_that_is_not_further_on() -> None:
    pages = PageNumberPaginator(BASE, 10)
    pages.update_state(numbered(1, 100), [1])
    with pytest.raises(PermanentError, match="page 2 names page 2"):
        pages.update_state(numbered(2, 100, next=f"{BASE}/x?page=2"), [2])


def test_a_vendor_that_ignores_the_page_number() -> None:
    pages, rows = PageNumberPaginator(BASE, 10), [{"id": 1}]
    for number in (1, 2):
        pages.update_state(numbered(number, 10**6), rows)
    with pytest.raises(PermanentError, match="does not end: the same page of 1 rows"):
        pages.update_state(numbered(3, 10**6), rows)


def test_three_pages_without_rows_end_the_walk() -> None:
    pages = PageNumberPaginator(BASE, 10)
    for number, rows in enumerate([[1], [], [2], [], []], start=1):
        pages.update_state(numbered(number, 10**6), rows)
        assert pages.has_next_page
    pages.update_state(numbered(6, 10**6), [])
    assert not pages.has_next_page


def test_a_repeated_cursor() -> None:
    pages = CursorPaginator(BASE, 10)
    for following in ("a", "b"):
        pages.update_state(cursor(following), [following])
    with pytest.raises(PermanentError, match="'a' came twice"):
        pages.update_state(cursor("a"), ["c"])


def test_a_vendor_that_ignores_the_cursor_but_makes_new_ones() -> None:
    pages = CursorPaginator(BASE, 10)
    for number in (1, 2):
        pages.update_state(cursor(number), [{"id": 1}])
    with pytest.raises(PermanentError, match="3 times in a row"):
        pages.update_state(cursor(3), [{"id": 1}])


def test_empty_pages_by_cursor_are_no_repetition() -> None:
    pages = CursorPaginator(BASE, 10)
    for number in range(9):
        pages.update_state(cursor(number), [])
    assert pages.has_next_page


@pytest.mark.parametrize(("paging", "other"), [("page", "cursor"), ("cursor", "page")])
def test_the_other_paging_is_said(paging: Paging, other: Paging) -> None:
    found = cursor("255") if paging == "page" else numbered(1, 25)
    with pytest.raises(PermanentError) as caught:
        paginator(paging, BASE, 10).update_state(found, [1])
    assert f"paging: {other}" in str(caught.value)
