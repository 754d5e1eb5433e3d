"""Writing, webhooks and points against vendor_apis/octolis.md; the sentences quoted are the document's."""

from collections.abc import Iterator

import httpx
import pytest

from orgdata_dagster.sandbox.octolis import DOCUMENTED, Octolis
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster_tests.sandbox.octolis_rig import make, records, running

ONE, BATCH = "/datasets/people/records", "/datasets/people/records/batch"


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Sandbox, httpx.Client]]:
    with running(make()) as pair:
        yield pair


@pytest.fixture(autouse=True)
def vendor(served: tuple[Sandbox, httpx.Client]) -> Octolis:
    """A new vendor."""
    vendor = served[0].octolis
    vendor.datasets, vendor.webhook_calls, vendor.all_or_none = make().datasets, [], False
    return vendor


@pytest.fixture
def client(served: tuple[Sandbox, httpx.Client]) -> httpx.Client:
    return served[1]


def test_upsert_of_one(client: httpx.Client, vendor: Octolis) -> None:
    answer = client.post(ONE, json={"email": "a", "firstname": "Jeanne"}).json()
    assert set(answer) == {"record"}
    truth = vendor.datasets["people"].truth()
    assert answer["record"] == {**truth[0], "__all_masterids__": [truth[0]["__masterid__"]]}
    assert (truth[0]["sms"], truth[0]["origin"]) == (False, "import")
    assert records(client) == truth
    again = client.post(ONE, json={"email": "a", "origin": "mine", "n": 1}).json()
    assert again["warnings"] == {"protected_columns": ["origin"]}
    assert again["record"]["origin"] == "import"
    wrong = client.post(ONE, json={"email": "a", "n": "x"})
    assert (wrong.status_code, wrong.json()["errors"]) == (400, ["n (#/properties/n/type) - must be integer"])
    assert records(client) == vendor.datasets["people"].truth()


def test_a_batch_upsert_has_one_result_per_row_by_position(client: httpx.Client, vendor: Octolis) -> None:
    rows = [
        {"email": "a"},
        {"firstname": "x"},
        {"email": "b", "sms": 1},
        {"email": "a", "n": 2},
        {"email": "c", "origin": ""},
    ]
    results = client.post(BATCH, json=rows).json()["results"]
    assert [r["written"] for r in results] == [True, False, False, True, True]
    assert results[1]["error"]["missing"] == ["email"]
    assert results[2]["error"]["values"] == rows[2]
    assert results[4]["warnings"] == {"protected_columns": ["origin"]}
    assert [(r["email"], r["n"]) for r in vendor.datasets["people"].truth()] == [("a", 2), ("c", None)]
    assert len({r["record"]["__modified_at__"] for r in results if r["written"]}) == 1
    again = client.post(BATCH, json=rows).json()["results"]
    assert [r["record"]["__masterid__"] for r in again if r["written"]] == [
        r["record"]["__masterid__"] for r in results if r["written"]
    ]


def test_one_wrong_row_may_refuse_the_whole_batch(client: httpx.Client, vendor: Octolis) -> None:
    vendor.all_or_none = True
    answer = client.post(BATCH, json=[{"email": "a"}, {"email": "b", "n": "x"}])
    assert (answer.status_code, answer.json()["values"]) == (400, {"email": "b", "n": "x"})
    assert len(vendor.datasets["people"]) == 0
    assert client.post(BATCH, json=[{"email": "a"}]).json()["results"][0]["written"]


def test_updates(client: httpx.Client, vendor: Octolis) -> None:
    people = vendor.datasets["people"]
    a, b = (people.upsert({"email": e}).record["__masterid__"] for e in "ab")
    assert client.patch(f"{ONE}/{a}", json={"n": 5}).json()["record"]["n"] == 5
    assert client.patch(f"{ONE}/nobody", json={"n": 5}).status_code == 404
    assert client.patch(f"{ONE}/{a}", json={"email": "b"}).status_code == 400
    rows = [{"__masterid__": b, "n": 6}, {"n": 7}, {"__masterid__": "nobody"}, {"__masterid__": b, "email": "a"}]
    results = client.patch(BATCH, json=rows).json()["results"]
    assert [r.get("error", {}).get("status") for r in results] == [None, 400, 404, 400]
    assert results[1]["error"]["missing"] == ["__masterid__"]
    assert [(r["email"], r["n"]) for r in people.truth()] == [("a", 5), ("b", 6)]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", ONE, "[]"), ("POST", ONE, "{"), ("POST", ONE, '{"email": NaN}'), ("POST", BATCH, "{}"),
        ("POST", BATCH, "[1]"), ("PATCH", BATCH, "{}"), ("POST", BATCH, str([{}] * 501)),
    ],
)  # fmt: skip
def test_wrong_bodies_are_400(client: httpx.Client, method: str, path: str, body: str) -> None:
    answer = client.request(method, path, content=body)
    assert (answer.status_code, answer.json()["status"]) == (400, 400)


def test_500_records_are_a_batch(client: httpx.Client, vendor: Octolis) -> None:
    assert client.post(BATCH, json=[{"email": str(n)} for n in range(500)]).status_code == 200
    assert len(vendor.datasets["people"]) == 500


def test_sql_datasets_are_read_only(client: httpx.Client) -> None:
    """'You can't write to a SQL Dataset, only read from it.'"""
    assert client.post("/datasets/sql/records", json={"email": "a"}).status_code == 403
    assert client.patch("/datasets/sql/records/batch", json=[]).status_code == 403
    assert records(client, "sql") == []


def test_a_busy_dataset_refuses_writes_only(served: tuple[Sandbox, httpx.Client], vendor: Octolis) -> None:
    """'Error 423 (only applies to Upsert/Update enpoints)'"""
    sandbox, client = served
    vendor.datasets["people"].busy(60)
    answers = [client.post(ONE, json={"email": "a"}), client.patch(BATCH, json=[]), client.get(ONE)]
    assert [a.status_code for a in answers] == [423, 423, 200]
    assert answers[0].json()["status"] == 423
    vendor.datasets["people"].busy(0)
    assert client.post(ONE, json={"email": "a"}).status_code == 200
    assert httpx.post(f"{sandbox.url}/_sandbox/octolis/people/busy?seconds=60", verify=False).json() == {"busy": 60}
    assert client.post(ONE, json={"email": "a"}).status_code == 423


def test_webhooks(client: httpx.Client, vendor: Octolis) -> None:
    """'Any request [...] that does not use the right Webhook id, api key, method, IP address or header [...]'"""
    headers = {"x-source": "orgdata"}
    payload = [{"any": ["JSON", None]}]
    answers = [
        client.put("/webhook/none", json=payload, headers=headers),
        client.put("/webhook/hook", json=payload, headers=headers, params={"api-key": "wrong"}),
        client.post("/webhook/hook", json=payload, headers=headers),
        client.put("/webhook/hook", json=payload),
        client.put("/webhook/hook", content="{", headers=headers),
    ]
    assert [a.status_code for a in answers] == [404, 401, 405, 403, 400]
    assert vendor.webhook_calls == []
    good = client.put("/webhook/hook", json=payload, headers=headers)
    assert good.status_code == 200
    (call,) = vendor.webhook_calls
    assert (call.webhook_id, call.method, call.payload) == ("hook", "PUT", payload)
    assert call.request_id == good.headers["apigw-requestid"]


def test_points_are_those_of_the_document() -> None:
    """'Each read (GET) request costs 1 point. Each write (POST/PUT) request costs 10 points.' 17 writes at once."""
    vendor = make(DOCUMENTED)
    now = [0.0]
    vendor.limiter.clock = lambda: now[0]
    with running(vendor) as (sandbox, client):
        statuses = [client.post(ONE, json={"email": "a"}).status_code for _ in range(18)]
        assert statuses == [200] * 17 + [429]
        refused = client.patch(BATCH, json=[])
        assert (refused.status_code, refused.headers["retry-after"], refused.json()["status"]) == (429, "1", 429)
        assert [client.get(ONE).status_code for _ in range(6)] == [200] * 5 + [429]  # 5 points are left of the 25
        assert client.put("/webhook/hook", json=1).status_code == 429
        now[0] = 1.0
        assert [client.post(ONE, json={"email": "a"}).status_code for _ in range(3)] == [200, 200, 429]
        # Another key has its own points, until the account's are spent.
        second = {"api-key": "second key"}
        assert client.post(ONE, json={"email": "a"}, params=second).status_code == 200
        assert {e.cost for e in sandbox.log.entries() if e.method == "GET"} == {1}
        assert {e.cost for e in sandbox.log.entries() if e.method != "GET"} == {10}
    assert vendor.limiter.violations == 5
