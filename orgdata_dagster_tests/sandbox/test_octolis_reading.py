"""The reading endpoints against vendor_apis/octolis.md; the sentences quoted are the document's."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from orgdata_dagster.sandbox.octolis import BULK, Dataset, Octolis, SeenRequest, bulk
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster_tests.sandbox.octolis_rig import HEADERS, make, records, running
from orgdata_dagster_tests.sandbox.reading import parse

START = datetime(2026, 3, 10, 12, tzinfo=UTC)
NAMES = ("Marc", "Jeanne", None, "", 'a,"b"')


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Octolis, Sandbox, httpx.Client]]:
    vendor = make()
    for n in range(10):
        payload = {"email": f"{n}@x", "firstname": NAMES[n % 5], "sms": n % 2 == 0, "n": n, "tags": ["é", "b"][: n % 3]}
        vendor.datasets["people"].upsert(payload, START + timedelta(milliseconds=n // 2))
    with running(vendor) as (sandbox, client):
        yield vendor, sandbox, client


@pytest.fixture
def client(served: tuple[Octolis, Sandbox, httpx.Client]) -> httpx.Client:
    return served[2]


@pytest.fixture
def people(served: tuple[Octolis, Sandbox, httpx.Client]) -> Dataset:
    return served[0].datasets["people"]


def numbers(client: httpx.Client, **params: Any) -> list[int]:
    return [r["n"] for r in records(client, **params)]


def test_the_whole_dataset_is_its_truth_newest_first(client: httpx.Client, people: Dataset) -> None:
    assert records(client) == people.truth()[::-1]
    assert numbers(client, order="asc") == list(range(10))
    assert records(client)[0] == {
        "email": "9@x", "firstname": 'a,"b"', "sms": False, "n": 9, "tags": [], "origin": "import",
        "__modified_at__": "2026-03-10T12:00:00.004Z",
        **{name: people.truth()[9][name] for name in ("__masterid__", "__created_at__", "__updated_at__")},
    }  # fmt: skip


def test_pages(client: httpx.Client) -> None:
    assert [numbers(client, page=p, pageSize=4) for p in (1, 2, 3, 4)] == [[9, 8, 7, 6], [5, 4, 3, 2], [1, 0], []]
    assert [numbers(client, page=p, pageSize=4, order="asc") for p in (1, 3, 4)] == [[0, 1, 2, 3], [8, 9], []]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("firstname:Marc", [5, 0]),
        ("firstname:Marc,firstName:Jeanne,sms:true", [6, 0]),  # the document's example, its capital included
        ("n:3,n:4", [4, 3]),
        ("sms:false,n:4", []),
        ("firstname:", [8, 3]),
        ("__modified_at__:2026-03-10T12:00:00.001Z", [3, 2]),
    ],
)
def test_filters(client: httpx.Client, condition: str, expected: list[int]) -> None:
    """'Using several filters on the same column will result in an OR condition.'"""
    assert numbers(client, filter=condition) == expected
    count = client.get("/datasets/people/records/count", params={"filter": condition})
    assert count.json() == {"count": len(expected)}


def test_selection(client: httpx.Client) -> None:
    assert records(client, selection="n,__modified_at__,email", pageSize=1) == [
        {"n": 9, "__modified_at__": "2026-03-10T12:00:00.004Z", "email": "9@x"}
    ]


def test_csv(client: httpx.Client, people: Dataset) -> None:
    answer = client.get("/datasets/people/records", params={"format": "csv"})
    assert answer.headers["content-type"].startswith("text/csv")
    rows = parse(answer.text)
    assert [r["firstname"] for r in rows] == [r["firstname"] for r in people.truth()[::-1]]
    assert (rows[0]["sms"], rows[1]["tags"], rows[0]["__all_masterids__"]) == ("false", '["é","b"]', None)
    bare = {"format": "csv", "header": "false", "selection": "n", "pageSize": "2"}
    assert client.get("/datasets/people/records", params=bare).text == "9\n8\n"
    counts = [client.get("/datasets/people/records/count", params={"format": "csv"} | header) for header in ({}, bare)]
    assert [count.text for count in counts] == ["count\n10\n", "10\n"]


def test_get_by_masterid(client: httpx.Client, people: Dataset) -> None:
    record = people.truth()[3]
    assert client.get(f"/datasets/people/records/{record['__masterid__']}").json() == {"record": record}
    assert client.get("/datasets/people/records/nobody").status_code == 404


def test_merged_records_say_so() -> None:
    vendor = make()
    people = vendor.datasets["people"]
    ids = [people.upsert({"email": str(n)}).record["__masterid__"] for n in range(3)]
    people.merge(ids[0], ids[2], at=datetime(2100, 1, 1, tzinfo=UTC))
    with running(vendor) as (_, client):
        answer = client.get(f"/datasets/people/records/{ids[0]}").json()
        assert answer["isMerged"] is True
        assert answer["record"]["__all_masterids__"] == [ids[2]]
        assert client.get(f"/datasets/people/records/{ids[2]}").status_code == 404
        assert [r.get("__all_masterids__") for r in records(client, order="asc")] == [None, [ids[2]]]
        selected = records(client, order="asc", selection="email,__all_masterids__")
        assert selected == [{"email": "1"}, {"email": "0", "__all_masterids__": [ids[2]]}]
        assert records(client, "sql") == []


@pytest.mark.parametrize(
    "query",
    [
        "page=0", "page=x", "pageSize=50001", "pageSize=0", "order=up", "format=xml", "header=no", "filter=firstname",
        "filter=colour:red", "filter=sms:yes", "filter=n:x", "selection=colour",
    ],
)  # fmt: skip
def test_wrong_parameters_are_400(client: httpx.Client, query: str) -> None:
    answer = client.get("/datasets/people/records", params=httpx.QueryParams(query))
    assert answer.status_code == 400
    assert {"title", "detail", "status", "errors"} <= set(answer.json())


@pytest.mark.parametrize("headers", [{"accept": "*/*"}, {"accept": "*/*", "content-type": "text/plain"}])
def test_headers_are_mandatory(served: tuple[Octolis, Sandbox, httpx.Client], headers: dict[str, str]) -> None:
    _, sandbox, client = served
    url = f"{sandbox.url}/octolis/v1/data/datasets/people/records"
    answer = httpx.get(url, params=client.params, headers=headers, verify=False)
    assert (answer.status_code, "Content-Type" in answer.json()["detail"]) == (400, True)


def test_every_answer_has_the_ids_to_report(served: tuple[Octolis, Sandbox, httpx.Client]) -> None:
    _, sandbox, client = served
    sandbox.log.clear()
    paths = ("/datasets/people/records", "/datasets/none/records", "/nowhere")
    answers = [client.get(path) for path in paths]
    answers.append(client.get(paths[0], params={"page": "0"}))
    answers.append(httpx.get(f"{client.base_url}{paths[0]}?api-key=wrong", headers=HEADERS, verify=False))
    assert [a.status_code for a in answers] == [200, 404, 404, 400, 401]
    assert [a.headers["apigw-requestid"] for a in answers] == [e.request_id for e in sandbox.log.entries()]
    assert all(re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-01", a.headers["traceparent"]) for a in answers)
    assert len({a.headers["traceparent"] for a in answers}) == len(answers)
    assert all({"title", "detail", "status"} <= set(a.json()) for a in answers[1:])
    assert {e.query["api-key"] for e in sandbox.log.entries()} == {"***"}


def test_the_hook_sees_the_request_and_may_change_the_data() -> None:
    vendor = make()
    seen: list[SeenRequest] = []

    def add(asked: SeenRequest) -> None:
        seen.append(asked)
        vendor.datasets["people"].upsert({"email": str(asked.number)})

    vendor.on_request = add
    with running(vendor) as (_, client):
        assert [len(records(client, page=1)) for _ in range(2)] == [1, 2]
    assert [(a.number, a.method, a.dataset, a.query) for a in seen] == [
        (n, "GET", "people", {"page": "1"}) for n in (1, 2)
    ]
    assert seen[0].path == "/v1/data/datasets/people/records"


def test_bulk_is_its_truth() -> None:
    vendor = bulk(2_500, now=lambda: START)
    with running(vendor) as (_, client):
        pages = [records(client, BULK, page=p, pageSize=1000) for p in (1, 2, 3, 4)]
        rows = [r for page in pages for r in page]
        assert list(map(len, pages)) == [1000, 1000, 500, 0]
        assert rows == vendor.truth(BULK)
        assert records(client, BULK, order="asc", pageSize=3) == rows[:-4:-1]
        masterid = rows[7]["__masterid__"]
        assert client.get(f"/datasets/{BULK}/records/{masterid}").json() == {"record": rows[7]}
        assert client.get(f"/datasets/{BULK}/records/count").json() == {"count": 2500}
        assert client.post(f"/datasets/{BULK}/records", json={"email": "x"}).status_code == 403
    assert len({r["__masterid__"] for r in rows}) == len(rows)
    assert [r["__modified_at__"] for r in rows] == sorted((r["__modified_at__"] for r in rows), reverse=True)
