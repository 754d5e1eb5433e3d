"""The endpoints against vendor_apis/accutics.md; the sentences quoted are the document's."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from orgdata_dagster.sandbox.accutics import Accutics, Dimension, Entity, SeenRequest, demo, jwt
from orgdata_dagster.sandbox.accutics.demo_data import EMPTY_DAY
from orgdata_dagster.sandbox.limits import UNLIMITED
from orgdata_dagster.sandbox.server import Sandbox

NOW = datetime(2026, 3, 10, 12, 0, 0, 250_000, UTC)
DIMENSIONS = {
    "id": Dimension("number", "id"),
    "name": Dimension("text", "name"),
    "updated_at": Dimension("timestamp", "updated_at"),
}


def row(key: int, **more: Any) -> dict[str, Any]:
    return {"id": key, "name": f"n{key % 3}", "updated_at": f"2026-03-0{key // 10 + 1}T00:00:0{key % 10}.500Z", **more}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(Accutics(limits=UNLIMITED)) as running:
        yield running


@pytest.fixture
def vendor(sandbox: Sandbox) -> Accutics:
    """`inputs` by page and `records` by cursor, as new."""
    pages = Entity(
        "inputs", "page", DIMENSIONS, map(row, range(25)), page_size=5, max_page_size=10,
        sortable=["id", "name"], default_sort="updated_at", now=lambda: NOW,
    )  # fmt: skip
    cursors = Entity(
        "records", "cursor", DIMENSIONS, map(row, range(25)), page_size=5, max_page_size=10, now=lambda: NOW
    )
    vendor = sandbox.accutics
    vendor.entities, vendor.now, vendor.on_request = {"inputs": pages, "records": cursors}, lambda: NOW, None
    return vendor


@pytest.fixture
def client(sandbox: Sandbox, vendor: Accutics) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {vendor.jwt()}"}
    with httpx.Client(base_url=sandbox.url, verify=False, headers=headers) as client:
        yield client


def page(client: httpx.Client, path: str, **params: object) -> tuple[list[int], dict[str, Any]]:
    """The ids of a page and its pagination."""
    answer = client.get(f"/accutics/{path}", params={k: str(v) for k, v in params.items()}).raise_for_status().json()
    assert set(answer) == {"data", "meta"}
    assert answer["meta"]["endpoint"] == f"{path}.index"
    return [r["id"] for r in answer["data"]], answer["meta"]["pagination"]


def walk(client: httpx.Client, path: str, **params: object) -> list[list[int]]:
    """The ids of all pages, by `next`."""
    ids, meta = page(client, path, **params)
    pages = [ids]
    while meta["next"]:
        answer = client.get(meta["next"]).raise_for_status().json()
        pages.append([r["id"] for r in answer["data"]])
        meta = answer["meta"]["pagination"]
    return pages


def test_page_number_meta_is_that_of_the_json_schema(client: httpx.Client) -> None:
    _, meta = page(client, "inputs", page=2, page_size=10, search="id:gte:0")

    def at(number: int) -> str:
        return f"{client.base_url}/accutics/inputs?search=id%3Agte%3A0&page={number}&page_size=10"

    assert meta == {
        "first": at(1), "previous": at(1), "current": at(2), "next": at(3), "last": at(3),
        "items_per_page": 10, "total_items": 25, "page_param": "page", "size_param": "page_size",
    }  # fmt: skip
    first, last, beyond = (page(client, "inputs", page=n, page_size=10) for n in (1, 3, 9))
    assert (first[1]["previous"], last[1]["next"], beyond[0], beyond[1]["next"]) == (None, None, [], None)
    assert page(client, "inputs", search="id:lt:0")[1]["last"].endswith("page=1&page_size=5")


def test_cursor_meta_is_that_of_the_json_schema(client: httpx.Client) -> None:
    ids, meta = page(client, "records", page_size=10)
    assert ids == list(range(10))
    assert set(meta) == {"current", "next", "items_per_page", "next_cursor", "cursor_param", "size_param"}
    assert isinstance(meta["next_cursor"], str)
    assert meta["next"] == f"{client.base_url}/accutics/records?cursor={meta['next_cursor']}&page_size=10"
    assert page(client, "records", page_size=10, cursor=meta["next_cursor"])[0] == list(range(10, 20))
    last = page(
        client, "records", page_size=10, cursor=page(client, "records", page_size=10, cursor=10)[1]["next_cursor"]
    )
    assert (last[0], last[1]["next_cursor"], last[1]["next"]) == (list(range(20, 25)), None, None)


@pytest.mark.parametrize("path", ["inputs", "records"])
def test_sizes_beyond_the_maximum_are_clamped_silently(client: httpx.Client, path: str) -> None:
    """'If a page size greater than the maximum is requested, the page size is limited to the maximum page size.'"""
    assert list(map(len, walk(client, path, page_size=1000))) == [10, 10, 5]
    assert page(client, path, page_size=1000)[1]["items_per_page"] == 10
    assert list(map(len, walk(client, path))) == [5] * 5
    # A last page that is full is followed by none.
    assert list(map(len, walk(client, path, page_size=10, search="id:lt:20"))) == [10, 10]


def test_sorting(client: httpx.Client) -> None:
    assert page(client, "inputs", sort="-id")[0] == [24, 23, 22, 21, 20]
    assert page(client, "inputs", sort="name,-id", page_size=10)[0] == [24, 21, 18, 15, 12, 9, 6, 3, 0, 22]
    assert page(client, "inputs", sort="-name,id")[0] == [2, 5, 8, 11, 14]


def test_rows_that_change_move_and_pages_drift(client: httpx.Client, vendor: Accutics) -> None:
    first, meta = page(client, "inputs")
    vendor.entities["inputs"].update(0, {"name": "new"})
    second = [r["id"] for r in client.get(meta["next"]).json()["data"]]
    assert (first, second) == ([0, 1, 2, 3, 4], [6, 7, 8, 9, 10])  # 5 is on neither
    assert walk(client, "inputs")[-1][-1] == 0
    assert vendor.entities["inputs"].truth()[0] == {"id": 0, "name": "new", "updated_at": "2026-03-10T12:00:00.250Z"}


def test_cursors_do_not_drift(client: httpx.Client, vendor: Accutics) -> None:
    first, meta = page(client, "records")
    records = vendor.entities["records"]
    records.update(0)
    records.delete(4)
    records.insert({"id": 99, "name": "late"})
    rest = walk(client, "records", cursor=meta["next_cursor"])
    assert first + [n for ids in rest for n in ids] == [*range(25), 99]
    assert records.truth()[-1]["updated_at"] == "2026-03-10T12:00:00.250Z"
    with pytest.raises(ValueError, match="already"):
        records.insert({"id": 99})


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({}, 401, "authorization_header_missing"),
        ({"authorization": ""}, 401, "authorization_header_missing"),
        ({"authorization": "Bearer x.y.z"}, 403, "authorization"),
        ({"authorization": f"Bearer {jwt(-1, now=NOW)}"}, 403, "authorization"),
        ({"authorization": f"Basic {jwt(60, now=NOW)}"}, 403, "authorization"),
        ({"authorization": f"Bearer {jwt(60, now=NOW)}x"}, 403, "authorization"),
        ({"authorization": f"Bearer {jwt(60, now=NOW)}"}, 200, None),
    ],
)
def test_tokens(client: httpx.Client, headers: dict[str, str], status: int, code: str | None) -> None:
    answer = httpx.get(f"{client.base_url}/accutics/inputs", headers=headers, verify=False)
    assert (answer.status_code, answer.json().get("error", {}).get("code")) == (status, code)
    assert "endpoint" in answer.json()["meta"]


def test_a_token_expires_by_the_vendors_clock(client: httpx.Client, vendor: Accutics) -> None:
    token = client.get("/_sandbox/accutics/token", params={"expires_in": "3600"}).json()["token"]
    client.headers["authorization"] = f"Bearer {token}"
    assert client.get("/accutics/inputs").status_code == 200
    vendor.now = lambda: NOW + timedelta(hours=1, seconds=1)
    assert client.get("/accutics/inputs").status_code == 403


@pytest.mark.parametrize(("method", "path"), [("GET", "none"), ("POST", "inputs"), ("GET", "inputs/1"), ("DELETE", "")])
def test_invalid_route(client: httpx.Client, method: str, path: str) -> None:
    """'A URL path that does not match any endpoint in the open API or an incorrect HTTP method is used.'"""
    answer = client.request(method, f"/accutics/{path}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_route")
    assert set(answer.json()["error"]) == {"code", "message", "data"}


@pytest.mark.parametrize(
    ("path", "params", "code"),
    [
        ("inputs", {"page": "0"}, "invalid_page"),
        ("inputs", {"page": "x"}, "invalid_page"),
        ("inputs", {"page_size": "-1"}, "invalid_page_size"),
        ("inputs", {"sort": "updated_at"}, "invalid_sort"),
        ("inputs", {"search": "nobody:eq:1"}, "invalid_search"),
        ("records", {"cursor": "abc"}, "invalid_cursor"),
        ("records", {"sort": "id"}, "invalid_sort"),
        ("records", {"search": "id"}, "invalid_search"),
    ],
)
def test_400_with_a_code(client: httpx.Client, path: str, params: dict[str, str], code: str) -> None:
    answer = client.get(f"/accutics/{path}", params=params)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
    assert answer.json()["meta"] == {"endpoint": f"{path}.index"}


def test_the_hook_sees_the_request_and_may_change_the_data(client: httpx.Client, vendor: Accutics) -> None:
    seen: list[SeenRequest] = []

    def drop(asked: SeenRequest) -> None:
        seen.append(asked)
        vendor.entities["inputs"].delete(0)

    vendor.on_request = drop
    assert page(client, "inputs", page_size=3)[0] == [1, 2, 3]
    assert [(a.number, a.entity, a.query) for a in seen] == [(1, "inputs", {"page_size": "3"})]


def test_demo_is_served_as_its_truth_and_reaches_to_now() -> None:
    vendor = demo(now=lambda: NOW, limits=UNLIMITED, rows=600)
    headers = {"Authorization": f"Bearer {vendor.jwt()}"}
    with Sandbox(vendor) as sandbox, httpx.Client(base_url=sandbox.url, verify=False, headers=headers) as client:
        for name, entity in vendor.entities.items():
            url, rows = f"/accutics/{name}?page_size=1000", []
            while url:
                answer = client.get(url).json()
                rows += answer["data"]
                url = answer["meta"]["pagination"]["next"]
            assert sorted(map(repr, rows)) == sorted(map(repr, vendor.truth(name) or []))
            assert len({r["id"] for r in rows}) == len(entity) > 20
    days = {r["updated_at"][:10] for r in vendor.entities["records"].truth()}
    assert days == {str((NOW - timedelta(days=n)).date()) for n in range(10) if n != EMPTY_DAY}
    assert all("updated_at" not in r for r in vendor.entities["users"].truth())
    assert vendor.entities["records"].truth() == demo(now=lambda: NOW, rows=600).entities["records"].truth()
