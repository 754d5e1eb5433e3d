"""The endpoint against vendor_apis/institution_analytics.md; the sentences quoted are the document's."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from orgdata_dagster.sandbox import instants
from orgdata_dagster.sandbox.institution_analytics import DataSet, InstitutionAnalytics, SeenRequest
from orgdata_dagster.sandbox.limits import UNLIMITED
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster_tests.sandbox.reading import ask, connect, page

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
COLUMNS = ["id", "note", "updated_date"]


def at(**ago: float) -> str:
    return instants.to_text(instants.from_datetime(NOW - timedelta(**ago)))


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(InstitutionAnalytics(api_key="secret", limits=UNLIMITED, now=lambda: NOW)) as running:
        yield running


@pytest.fixture
def users(sandbox: Sandbox) -> Iterator[DataSet]:
    vendor = sandbox.institution_analytics
    vendor.data_sets["users"] = DataSet("users", COLUMNS)
    yield vendor.data_sets["users"]
    vendor.page_rows, vendor.empty_header, vendor.on_request = 20_000, True, None


@pytest.fixture
def client(sandbox: Sandbox, users: DataSet) -> Iterator[httpx.Client]:  # noqa: ARG001
    with connect(sandbox, "secret") as client:
        yield client


def ids(rows: list[dict[str, str | None]]) -> list[str | None]:
    return [row["id"] for row in rows]


def test_inclusive_of_before_and_exclusive_of_after(users: DataSet, client: httpx.Client) -> None:
    """'Data is inclusive of the `updated_before` exact timestamp and excludes the `updated_after` exact'."""
    for key, stamp in enumerate((at(hours=3), at(hours=2), at(hours=1), at(minutes=1))):
        users.insert({"id": str(key), "updated_date": stamp})
    assert ids(page(client, "users", updated_after=at(hours=3), updated_before=at(hours=1))) == ["2", "1"]
    offset = (NOW - timedelta(hours=1)).astimezone().isoformat()
    assert ids(page(client, "users", updated_after=at(hours=3), updated_before=offset)) == ["2", "1"]
    assert ids(page(client, "users", updated_after=at(hours=1), updated_before=at(hours=3))) == []


def test_defaults_are_now_and_seven_days_before_now(users: DataSet, client: httpx.Client) -> None:
    """'If no timestamp `updated_after` is provided, the API will assume `current_time - 7 days`'."""
    for key, stamp in {
        "future": at(seconds=-1), "now": at(), "inside": at(days=7, microseconds=-1), "border": at(days=7),
        "older": at(days=8),
    }.items():  # fmt: skip
        users.insert({"id": key, "updated_date": stamp})
    assert ids(page(client, "users")) == ["now", "inside"]
    assert ids(page(client, "users", updated_after=at(days=9))) == ["now", "inside", "border", "older"]
    # Seven days before now even where `updated_before` is earlier: nothing is left of the interval then.
    assert ids(page(client, "users", updated_before=at(days=7, hours=1))) == []


def test_pages_hold_up_to_approximately_the_page_size(sandbox: Sandbox, users: DataSet, client: httpx.Client) -> None:
    for key in range(1200):
        users.insert({"id": str(key), "updated_date": at(seconds=key)})
    sandbox.institution_analytics.page_rows = 100
    assert ids(page(client, "users")) == [str(key) for key in range(100)]
    sandbox.institution_analytics.page_rows = 1100
    sizes = {len(page(client, "users")) for _ in range(12)}
    assert len(sizes) > 1
    assert all(1091 <= size <= 1109 for size in sizes)
    sandbox.institution_analytics.page_rows = 5000
    assert len(page(client, "users")) == 1200


def test_empty_results_are_the_header_or_nothing(sandbox: Sandbox, client: httpx.Client) -> None:
    assert ask(client, "users").content == b"id,note,updated_date\n"
    sandbox.institution_analytics.empty_header = False
    empty = ask(client, "users")
    assert (empty.status_code, empty.content, empty.headers["content-type"]) == (200, b"", "text/csv; charset=utf-8")


@pytest.mark.parametrize("headers", [{}, {"api-key": "wrong"}, {"api-key": ""}, {"authorization": "secret"}])
def test_401_without_the_key(sandbox: Sandbox, headers: dict[str, str]) -> None:
    answer = httpx.get(f"{sandbox.url}/institution_analytics/analytics?data_set=users", verify=False, headers=headers)
    assert answer.status_code == 401
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"data_set": "nobody"}, "unknown data_set 'nobody'; one of: users"),
        ({}, "unknown data_set ''"),
        ({"data_set": "users", "updated_after": "2026-03-01"}, "updated_after: not an ISO 8601"),
        ({"data_set": "users", "updated_before": "2026-03-01T00:00:00"}, "updated_before: not an ISO 8601"),
    ],
)
def test_400_says_what_is_wrong(client: httpx.Client, params: dict[str, str], message: str) -> None:
    answer = client.get("/institution_analytics/analytics", params=params)
    assert answer.status_code == 400
    assert message in answer.json()["error"]["message"]


def test_a_plus_that_was_not_encoded_is_a_space(client: httpx.Client) -> None:
    answer = client.get("/institution_analytics/analytics?data_set=users&updated_after=2026-03-01T00:00:00+00:00")
    assert answer.status_code == 400


def test_unknown_parameters_are_ignored(client: httpx.Client) -> None:
    assert ask(client, "users", colour="red").status_code == 200


def test_the_hook_sees_the_interval_and_may_change_the_data(
    sandbox: Sandbox, users: DataSet, client: httpx.Client
) -> None:
    users.insert({"id": "1", "note": "old", "updated_date": at(hours=5)})
    seen: list[SeenRequest] = []

    def move(request: SeenRequest) -> None:
        seen.append(request)
        users.touch("1", at(hours=1), {"note": "new"})

    sandbox.institution_analytics.on_request = move
    rows = page(client, "users", updated_after=at(hours=2))
    assert rows == users.truth() == [{"id": "1", "note": "new", "updated_date": at(hours=1)}]
    assert [(r.data_set, r.updated_after, r.updated_before) for r in seen] == [("users", NOW - timedelta(hours=2), NOW)]
