"""Rows that move while a list is paged, over every paginator: all that were not touched are read, or the walk says so.

The client and its paginators are the real ones; the vendor is a list in memory, whose rows are touched, deleted and
added between any two requests. It makes pages smaller than asked for, and pages without rows, inside the list and at
its end, once (the same question is then answered with its rows) or at every request from some time on.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from orgdata_dagster.http.errors import VendorError
from orgdata_dagster.http.records import Download
from orgdata_dagster.http.rest import next_page, paginators
from orgdata_dagster.http.rest.auth import Fixed
from orgdata_dagster.http.rest.errors import ErrorRules
from orgdata_dagster.http.rest.paginators import Paginator, Stop
from orgdata_dagster.vendors.rest.client import RestClient
from orgdata_dagster.vendors.rest.list_request import Listing
from orgdata_dagster_tests.examples import examples

Item = dict[str, Any]


@dataclass
class Vendor:
    """A list and the changes to it before each request (by number). `vendor` is the name that the client shows."""

    size: int
    order: str
    items: dict[int, int]  # id -> when it was last changed; many at the same time
    moves: dict[int, list[tuple[str, int]]]
    gap: int = 0  # every so many pages one without rows, where a cursor allows it
    requests: int = 0
    touched: set[int] = field(default_factory=set)
    empty: set[int] = field(default_factory=set)  # requests whose answer has no row
    kind: str = ""
    vendor: str = "fake"
    base_url: str = "http://fake"

    def __post_init__(self) -> None:
        self.before = set(self.items)

    def rows(self) -> list[Item]:
        found = [{"id": key, "at": at} for key, at in self.items.items()]
        if self.order == "changed":
            return sorted(found, key=lambda row: (row["at"], row["id"]))
        return sorted(found, key=lambda row: row["id"], reverse=self.order == "-id")

    def move(self) -> None:
        self.requests += 1
        for what, number in self.moves.get(self.requests, []):
            if what in ("empty", "down"):
                # not the first answer: where a vendor shows no row at all, only the stored rows can contradict it
                first = max(2, self.requests)
                if what == "down":
                    self.empty |= {*range(first, 99)}
                elif first - 1 not in self.empty:  # often enough at a list's end, it cannot be told from its end
                    self.empty.add(first)
                continue
            keys = sorted(self.items)
            key = keys[number % len(keys)] if keys else None
            if what == "insert":
                self.touched.add(1000 + self.requests)
                self.items[1000 + self.requests] = 1000
            elif key is not None:
                self.touched.add(key)
                if what == "delete":
                    del self.items[key]
                else:
                    self.items[key] = 1000 + self.requests

    def fetch(
        self, endpoint: str, *, params: dict[str, str], into: Path, read: Callable[[Download], Any], **_: Any
    ) -> Any:
        self.move()
        body, headers = self.answer(endpoint.removeprefix(self.base_url), params)
        if self.requests in self.empty:
            body = {**body, "rows": []}
        into.write_text(json.dumps(body))
        return read(Download(into, 200, httpx.Headers(headers), into.stat().st_size, None, 0.0, 1, endpoint))

    def answer(self, endpoint: str, params: dict[str, str]) -> tuple[Item, dict[str, str]]:
        rows, size = self.rows(), self.size
        if "page" in params or endpoint.startswith("/links"):
            page = int(endpoint.partition("?")[2] or params.get("page", 1))
            start = (page - 1) * size
            more = start + size < len(rows)
            body = {
                "rows": rows[start : start + size],
                "total": len(rows),
                "more": more,
                "next": (f"/links?{page + 1}" if endpoint.startswith("/links") else page + 1) if more else None,
            }
            return body, {"link": f'</links?{page + 1}>; rel="next"'} if more else {}
        if "offset" in params:
            start = int(params["offset"])
            more = start + size < len(rows)
            following = f"/rows?offset={start + size}" if more else None
            return {"rows": rows[start : start + size], "total": len(rows), "more": more, "next": following}, {}
        after, skipped = (params.get("after") or ":").split(":")
        left = [
            row
            for row in rows
            if not after or (row["id"] < int(after) if self.order == "-id" else row["id"] > int(after))
        ]
        if self.gap and self.requests % self.gap == 0 and skipped != "x" and left:
            return {"rows": [], "more": True, "cursor": f"{after}:x", "total": len(rows)}, {"x-next": f"{after}:x"}
        page_rows = left[:size]
        more = len(left) > size
        cursor = f"{page_rows[-1]['id']}:" if more else None
        body = {"rows": page_rows, "more": more, "cursor": cursor, "total": len(rows)}
        if "in the link" in self.kind:
            del body["cursor"]
            body["next"] = f"/rows?after={cursor}" if cursor else None
        return body, {"x-next": cursor} if cursor else {}


class ByIds(Vendor):
    """Uses an id instead of a cursor."""

    def answer(self, endpoint: str, params: dict[str, str]) -> tuple[Item, dict[str, str]]:
        return super().answer(endpoint, {name: f"{value}:" for name, value in params.items()})


PAGES: dict[str, Callable[[int], Paginator]] = {
    "page_number, total": lambda _: paginators.PageNumber(parameter="page", stop=Stop("total", "total")),
    "page_number, has_more": lambda _: paginators.PageNumber(parameter="page", stop=Stop("has_more", "more")),
    "page_number, empty_page": lambda _: paginators.PageNumber(parameter="page", stop=Stop("empty_page")),
    "page_number, short_page": lambda n: paginators.PageNumber(parameter="page", stop=Stop("short_page"), page_size=n),
    "page_number, next": lambda _: paginators.PageNumber(parameter="page", stop=Stop("next", "next")),
    "page_number, next, total": lambda _: paginators.PageNumber(
        parameter="page", stop=Stop("next", "next"), total_at="total", sends_first=True
    ),
    "offset, next, total": lambda _: paginators.Offset(parameter="offset", stop=Stop("next", "next"), total_at="total"),
    "offset, empty_page": lambda _: paginators.Offset(parameter="offset", stop=Stop("empty_page")),
    "offset, total": lambda _: paginators.Offset(parameter="offset", stop=Stop("total", "total")),
    "offset, has_more": lambda _: paginators.Offset(parameter="offset", stop=Stop("has_more", "more")),
    "offset, short_page": lambda n: paginators.Offset(parameter="offset", stop=Stop("short_page"), page_size=n),
    "link in the body": lambda _: next_page.Link(next_at="next"),
    "link in the body, total": lambda _: next_page.Link(next_at="next", total_at="total"),
    "link header": lambda _: next_page.Link(),
    "cursor": lambda _: next_page.Cursor(cursor_at="cursor", parameter="after"),
    "cursor, has_more": lambda _: next_page.Cursor(cursor_at="cursor", parameter="after", has_more="more"),
    "cursor, total": lambda _: next_page.Cursor(cursor_at="cursor", parameter="after", total_at="total"),
    "cursor in a header": lambda _: next_page.Cursor(cursor_at="header:X-Next", parameter="after"),
    "cursor in the link": lambda _: next_page.Cursor(cursor_at="cursor", parameter="after", next_at="next"),
    "last_id, short_page": lambda n: paginators.LastId(
        id_at="id", parameter="after", stop=Stop("short_page"), page_size=n
    ),
    "last_id, total": lambda _: paginators.LastId(id_at="id", parameter="after", stop=Stop("total", "total")),
    "last_id, has_more": lambda _: paginators.LastId(id_at="id", parameter="after", stop=Stop("has_more", "more")),
    "last_id, empty_page": lambda _: paginators.LastId(id_at="id", parameter="after", stop=Stop("empty_page")),
}


@st.composite
def vendors(draw: st.DrawFn, kind: str, *, moving: bool = True) -> Vendor:
    size = draw(st.integers(2, 5))
    by_row = kind.startswith(("cursor", "last_id"))
    order = draw(st.sampled_from(["id", "-id"] if by_row else ["id", "-id", "changed"]))
    items = dict(enumerate(draw(st.lists(st.integers(0, 3), max_size=22)), 1))
    move = st.tuples(st.sampled_from(["touch", "delete", "insert", "empty", "down"]), st.integers(0, 30))
    schedule = draw(
        st.dictionaries(st.integers(1, 14), st.lists(move, min_size=1, max_size=2), max_size=5 if moving else 0)
    )
    made = ByIds if kind.startswith("last_id") else Vendor
    gap = draw(st.sampled_from([0, 2, 3])) if kind in ("cursor", "cursor, total", "cursor in a header") else 0
    return made(size, order, items, schedule, gap, kind=kind)


def walked(vendor: Vendor, paginate: Callable[[], Paginator]) -> tuple[set[int], bool]:
    """The ids that were read, and whether the walk is proven complete."""
    listing = Listing(
        "/links" if isinstance(paginate(), next_page.Link) else "/rows", paginate, records="rows", key=("id",)
    )
    client = RestClient(vendor, Fixed(), ErrorRules())  # type: ignore[arg-type]
    with tempfile.TemporaryDirectory() as folder:
        try:
            found = client.pages(
                listing, folder=Path(folder), read=lambda download: json.loads(download.path.read_text())
            )
        except VendorError:
            return set(), False  # nothing lands, and the run fails: also no silent loss
    return {row["id"] for page in found.pages for row in page["rows"]}, found.complete


@pytest.mark.parametrize("kind", PAGES)
@settings(max_examples=examples(40), deadline=None)
@given(st.data(), st.sampled_from([1, 2]))
def test_unchanged_rows_are_read_or_the_walk_is_reported_as_incomplete(
    kind: str, data: st.DataObject, asked: int
) -> None:
    vendor = data.draw(vendors(kind))
    came, settled = walked(vendor, lambda: PAGES[kind](vendor.size * asked))  # twice what the vendor gives
    assert not settled or vendor.before - vendor.touched <= came


@pytest.mark.parametrize("kind", ["cursor", "cursor in a header"])
def test_an_empty_page_that_goes_on_outweighs_empty_pages_that_end_the_list(kind: str) -> None:
    """The last page is requested three times. Only the second answer names the next page, which has the last row."""
    changes = {2: [("empty", 0)], 5: [("empty", 0)]}
    vendor = Vendor(2, "id", {1: 0, 2: 0, 3: 0}, changes, gap=3, kind=kind)
    assert walked(vendor, lambda: PAGES[kind](2)) == ({1, 2, 3}, True)


def test_empty_pages_that_name_different_next_pages_are_not_followed() -> None:
    """The first and the third answer lack the rows of page two, and name page three."""
    changes = {2: [("empty", 0)], 5: [("empty", 0)]}
    vendor = Vendor(2, "id", dict.fromkeys(range(1, 6), 0), changes, gap=3, kind="cursor in a header")
    assert walked(vendor, lambda: PAGES[vendor.kind](2)) == (set(), False)


@pytest.mark.parametrize("kind", PAGES)
@settings(max_examples=examples(25), deadline=None)
@given(st.data())
def test_an_unchanged_list_is_read_completely(kind: str, data: st.DataObject) -> None:
    vendor = data.draw(vendors(kind, moving=False))
    assert walked(vendor, lambda: PAGES[kind](vendor.size)) == (vendor.before, True)


@pytest.mark.parametrize("kind", ["page_number, has_more", "offset, has_more", "link header"])
def test_one_walk_by_numbers_fails_the_same_property(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paginators.PageNumber, "stands_at_row", True)
    monkeypatch.setattr(paginators.Offset, "stands_at_row", True)

    def lost(vendor: Vendor) -> bool:
        paginate = (lambda: next_page.Link(stands_at_row=True)) if kind == "link header" else (lambda: PAGES[kind](9))
        came, settled = walked(vendor, paginate)
        return settled and not vendor.before - vendor.touched <= came

    assert find(vendors(kind), lost, settings=settings(max_examples=2000, phases=[Phase.generate])).requests
