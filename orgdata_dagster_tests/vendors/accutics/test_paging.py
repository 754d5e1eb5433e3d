"""Both paginators: the pagination objects of vendor_apis/accutics.md, and vendors that repeat pages for ever."""

from typing import Any

import pytest

from orgdata_dagster.http.errors import PermanentError
from orgdata_dagster.http.rest.answers import PageAnswer, PageRequest
from orgdata_dagster.http.rest.following import warn_once
from orgdata_dagster.http.rest.paginators import Paginator
from orgdata_dagster.vendors.accutics.entity import Paging, listing

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


def paginator(paging: Paging, page_size: int = 10) -> Paginator:
    return listing("/x", paging, ["id"], page_size).paginate()


def answer(pages: Paginator, pagination: dict[str, Any], rows: list[Any]) -> None:
    body = {"data": rows, "meta": {"endpoint": "x", "pagination": pagination}}
    pages.update_state(PageAnswer(body, {}, rows, BASE))


def asked(pages: Paginator) -> dict[str, str]:
    request = PageRequest()
    pages.update_request(request)
    return request.params


def test_by_number_until_next_is_null_although_the_size_was_clamped() -> None:
    pages = paginator("page", 500)
    sent = []
    for number in (1, 2, 3):
        assert pages.has_next_page
        sent.append(asked(pages))
        answer(pages, numbered(number, 25), [{"id": number}])
    assert not pages.has_next_page
    assert sent == [{"page_size": "500"}, {"page_size": "500", "page": "2"}, {"page_size": "500", "page": "3"}]


def test_by_cursor_until_next_cursor_is_null() -> None:
    pages = paginator("cursor", 500)
    sent = []
    for number, following in enumerate(("255", 342, None)):
        sent.append(asked(pages))
        answer(pages, cursor(following), [{"id": number}])
    assert not pages.has_next_page
    assert [params.get("cursor") for params in sent] == [None, "255", "342"]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [(25, 25, "4"), (40, 41, "4"), (40, 39, "2"), (40, 30, "2"), (40, 29, None), (60, 5, None)],
)
def test_a_list_that_shrank_is_read_again_from_the_new_place_of_its_rows(
    before: int, after: int, expected: str | None
) -> None:
    pages = paginator("page")
    answer(pages, numbered(1, before), [1])
    answer(pages, numbered(2, before), [2])
    answer(pages, numbered(3, after, next=f"{BASE}/x?page=4"), [3])
    assert pages.has_next_page
    assert asked(pages).get("page") == expected


def test_a_list_that_shrank_at_its_end_is_not_over() -> None:
    pages = paginator("page")
    answer(pages, numbered(1, 11), [1])
    answer(pages, numbered(2, 10), [])
    assert pages.has_next_page
    answer(pages, numbered(1, 10), [1])
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
    """Behind a proxy, links have another scheme or an internal host; only the number or cursor in them is used."""
    warn_once.cache_clear()
    pages = paginator(paging)
    for number in (1, 2):
        found = numbered(number, 30, next=link) if paging == "page" and number == 1 else numbered(number, 30)
        answer(pages, {**cursor(str(number + 1)), "next": link} if paging == "cursor" else found, [number])
    assert pages.has_next_page
    assert asked(pages)[paging] == "3"
    assert len(caplog.records) == (0 if link.startswith("/v1") else 1)


@pytest.mark.parametrize("end", [None, "", False, " ", "null", "None", [], {}, {"href": None}])
def test_other_spellings_of_no_further_page(end: object) -> None:
    pages = paginator("page")
    answer(pages, numbered(1, 5, next=end), [1])
    by_cursor = paginator("cursor")
    answer(by_cursor, {**cursor(None), "next_cursor": end if not isinstance(end, dict) else None}, [1])
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
    pages = paginator("page")
    answer(pages, numbered(1, 25) | changes, [1])
    assert pages.has_next_page is not is_over


def test_without_next_the_total_decides() -> None:
    pages = paginator("page")
    for number, more in ((1, True), (2, True), (3, False)):
        found = numbered(number, 25)
        del found["next"]
        answer(pages, found, [number])
        assert pages.has_next_page is more


def test_a_next_link_that_never_ends_is_ignored_once_the_total_is_reached() -> None:
    pages = paginator("page")
    for number, rows in ((1, [1]), (2, [2]), (3, [])):
        answer(pages, numbered(number, 20, next=f"{BASE}/x?page={number + 1}"), rows)
    assert not pages.has_next_page


@pytest.mark.parametrize("word", ["0", "null", -1])
def test_a_cursor_that_may_mean_nothing(word: object) -> None:
    """It ends the list only if `next` says so too."""
    pages = paginator("cursor")
    answer(pages, {**cursor("7"), "next_cursor": word}, [1])
    assert asked(pages)["cursor"] == str(word)
    answer(pages, {**cursor(None), "next_cursor": word}, [2])
    assert not pages.has_next_page


def test_the_cursor_may_stand_in_the_link_alone_or_be_left_out_at_the_end() -> None:
    pages = paginator("cursor")
    found = cursor("7")
    del found["next_cursor"]
    answer(pages, found, [1])
    assert asked(pages)["cursor"] == "7"
    answer(pages, {"next": None, "items_per_page": 10}, [2])
    assert not pages.has_next_page


def test_a_next_page_that_is_not_further_on() -> None:
    pages = paginator("page")
    answer(pages, numbered(1, 100), [1])
    with pytest.raises(PermanentError, match="page 2 names page 2"):
        answer(pages, numbered(2, 100, next=f"{BASE}/x?page=2"), [2])


def test_a_vendor_that_ignores_the_page_number() -> None:
    pages, rows = paginator("page"), [{"id": 1}]
    for number in (1, 2):
        answer(pages, numbered(number, 10**6), rows)
    with pytest.raises(PermanentError, match="does not end: the same page of 1 rows"):
        answer(pages, numbered(3, 10**6), rows)


def test_three_pages_without_rows_end_the_walk() -> None:
    pages = paginator("page")
    for number, rows in enumerate([[1], [], [2], [], []], start=1):
        answer(pages, numbered(number, 10**6), rows)
        assert pages.has_next_page
    answer(pages, numbered(6, 10**6), [])
    assert not pages.has_next_page


def test_a_repeated_cursor() -> None:
    pages = paginator("cursor")
    for following in ("a", "b"):
        answer(pages, cursor(following), [following])
    with pytest.raises(PermanentError, match="'a' came twice"):
        answer(pages, cursor("a"), ["c"])


def test_a_vendor_that_ignores_the_cursor_but_makes_new_ones() -> None:
    pages = paginator("cursor")
    for number in (1, 2):
        answer(pages, cursor(number), [{"id": 1}])
    with pytest.raises(PermanentError, match="3 times in a row"):
        answer(pages, cursor(3), [{"id": 1}])


def test_empty_pages_by_cursor_are_no_repetition() -> None:
    pages = paginator("cursor")
    for number in range(9):
        answer(pages, cursor(number), [])
    assert pages.has_next_page


@pytest.mark.parametrize(("paging", "other"), [("page", "cursor"), ("cursor", "page")])
def test_the_error_names_the_other_kind_of_paging(paging: Paging, other: Paging) -> None:
    found = cursor("255") if paging == "page" else numbered(1, 25)
    with pytest.raises(PermanentError) as caught:
        answer(paginator(paging), found, [1])
    assert f"paging: {other}" in str(caught.value)
