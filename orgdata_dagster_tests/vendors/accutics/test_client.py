"""The client over HTTP: whole lists from the sandbox, refusals by their code, and links that lead elsewhere."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from orgdata_dagster.http.client import HttpClient
from orgdata_dagster.http.errors import BadBody, PermanentError, RetriesExhausted
from orgdata_dagster.http.records import Download
from orgdata_dagster.http.rest import jwt as tokens
from orgdata_dagster.http.rest.auth import Fixed
from orgdata_dagster.http.retry import RetryPolicy
from orgdata_dagster.sandbox.accutics import Accutics, demo, jwt
from orgdata_dagster.sandbox.faults import Empty, ShortBody
from orgdata_dagster.sandbox.limits import UNLIMITED
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster.vendors.accutics.entity import ERRORS, listing, searched
from orgdata_dagster.vendors.accutics.resource import RENEW
from orgdata_dagster.vendors.accutics.search import where
from orgdata_dagster.vendors.rest.client import RestClient
from orgdata_dagster.vendors.rest.list_request import Listing
from orgdata_dagster_tests.http.loopback import Loopback, Reply, loopback

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
USERS = listing("/users", "page", ("id",))
INPUTS = listing("/inputs", "page", ("id",), 10, "updated_at", sort="-updated_at")
RECORDS = listing("/records", "cursor", ("id",), 20, "updated_at")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(demo(now=lambda: NOW, days=3, rows=300, limits=UNLIMITED)) as running:
        yield running


@pytest.fixture(autouse=True)
def vendor(sandbox: Sandbox) -> Accutics:
    sandbox.log.clear()
    sandbox.accutics.on_request = None
    return sandbox.accutics


@contextmanager
def client(url: str, token: str = "") -> Iterator[RestClient]:
    token = token or jwt(3600, now=NOW)
    http = HttpClient(
        "accutics",
        url,
        headers={"Authorization": f"Bearer {token}"},
        secrets=[token],
        retry=RetryPolicy(attempts=3, first_wait=0.001),
        error_reader=ERRORS.read,
    )
    with RestClient(http, Fixed(), ERRORS, partial(tokens.refused, token, RENEW, now=lambda: NOW)) as opened:
        yield opened


def rows(download: Download) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(download.path.read_text())["data"]
    return found


def pull(url: str, folder: Path, entity: Listing, *conditions: Any, token: str = "") -> list[dict[str, Any]]:
    with client(url, token) as opened:
        walked = opened.pages(searched(entity, *conditions), folder=folder, read=rows)
    assert walked.complete
    return [row for page in walked.pages for row in page]


@pytest.mark.parametrize("entity", [USERS, INPUTS, RECORDS], ids=["users", "inputs", "records"])
def test_a_whole_list_is_what_the_vendor_has(
    sandbox: Sandbox, vendor: Accutics, tmp_path: Path, entity: Listing
) -> None:
    found = pull(f"{sandbox.url}/accutics", tmp_path, entity)
    truth = vendor.entities[entity.path[1:]].truth()
    assert sorted(found, key=str) == sorted(truth, key=str)
    assert len(sandbox.log.entries()) == -(-len(truth) // min(entity.paginate().page_size or 0, 100))


def test_conditions_are_the_listings_and_the_callers(sandbox: Sandbox, vendor: Accutics, tmp_path: Path) -> None:
    day = where("updated_at", "gte", NOW.replace(hour=0)), where("updated_at", "lt", NOW.replace(day=11, hour=0))
    synced = listing("/records", "cursor", ("id",), conditions=(where("match_status", "eq", "synced"),))
    found = pull(f"{sandbox.url}/accutics", tmp_path, synced, *day)
    truth = [row for row in vendor.entities["records"].truth() if row["match_status"] == "synced"]
    assert sorted(row["id"] for row in found) == sorted(row["id"] for row in truth if row["updated_at"] >= "2026-03-10")
    [asked] = sandbox.log.entries()
    assert asked.query["search"] == (
        "match_status:equal:synced;updated_at:gte:2026-03-10T00:00:00Z;updated_at:lt:2026-03-11T00:00:00Z"
    )


def test_rows_that_are_touched_while_they_are_paged(tmp_path: Path) -> None:
    vendor = demo(now=lambda: NOW, days=3, rows=1000, limits=UNLIMITED)
    inputs = vendor.entities["inputs"]
    before = {row["id"] for row in inputs.truth()}
    vendor.on_request = lambda asked: inputs.update(asked.number) if 1 < asked.number < 5 else None
    with Sandbox(vendor) as running:
        by_default_order = listing("/inputs", "page", ("id",), 10)
        found = pull(f"{running.url}/accutics", tmp_path, by_default_order)
    assert {row["id"] for row in found} == before


def test_a_truncated_body_is_requested_again(sandbox: Sandbox, vendor: Accutics, tmp_path: Path) -> None:
    vendor.faults.add(ShortBody())
    assert len(pull(f"{sandbox.url}/accutics", tmp_path, USERS)) == len(vendor.entities["users"])


PAGED = [
    listing("/submissions", "page", ("id",), 20, "updated_at", sort="-updated_at"),
    listing("/records", "cursor", ("id",), 20, "updated_at"),
    listing("/inputs", "page", ("id",), 20, "updated_at"),
    listing("/users", "page", ("id",), 20),
]


@pytest.fixture(params=PAGED, ids=lambda entity: entity.path)
def four_pages(request: pytest.FixtureRequest, vendor: Accutics) -> Iterator[Listing]:
    """Each kind of list, in pages of a quarter of its rows."""
    entity = vendor.entities[request.param.path[1:]]
    usual, entity.max_page_size = entity.max_page_size, -(-len(entity) // 4)
    yield request.param
    entity.max_page_size = usual
    vendor.faults.clear()


@pytest.mark.parametrize("fault", [Empty("rows"), Empty("totals")], ids=lambda fault: fault.form)
def test_one_empty_answer_loses_no_row(
    sandbox: Sandbox, vendor: Accutics, tmp_path: Path, four_pages: Listing, fault: Empty
) -> None:
    """Without any row and a total of 0, only the pull knows better, from what is stored (test_pull.py)."""
    truth = vendor.entities[four_pages.path[1:]].truth()
    for after in range(fault.form == "totals", 5):
        vendor.faults.clear()
        vendor.faults.add(fault, after=after)
        found = {json.dumps(row) for row in pull(f"{sandbox.url}/accutics", tmp_path, four_pages)}
        assert found == {json.dumps(row) for row in truth}, after


@pytest.mark.parametrize("fault", [Empty("rows"), Empty("totals")], ids=lambda fault: fault.form)
def test_empty_answers_that_stay_are_no_complete_list(
    sandbox: Sandbox, vendor: Accutics, tmp_path: Path, four_pages: Listing, fault: Empty
) -> None:
    """From the second to the last page on."""
    for after in (1, 2, 3):
        vendor.faults.clear()
        vendor.faults.add(fault, times=200, after=after)
        assert not is_complete(sandbox, tmp_path, four_pages), after


def is_complete(sandbox: Sandbox, folder: Path, entity: Listing) -> bool:
    """Whether a walk over the list ends, and says that it has every row."""
    with client(f"{sandbox.url}/accutics") as opened:
        try:
            return opened.pages(entity, folder=folder, read=rows).complete
        except BadBody:
            return False


def test_a_wrong_path_is_reported(sandbox: Sandbox, tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match="correct `path` in defs") as caught:
        pull(f"{sandbox.url}/accutics", tmp_path, listing("/nothing", "page", ("id",)))
    assert (caught.value.status, caught.value.code) == (400, "invalid_route")
    assert len(sandbox.log.entries()) == 1


def test_an_expired_token_is_explained(sandbox: Sandbox, tmp_path: Path) -> None:
    token = jwt(-90_000, now=NOW)
    with pytest.raises(PermanentError, match=r"expired on 2026-03-09 11:00 UTC \(1 day ago\)") as caught:
        pull(f"{sandbox.url}/accutics", tmp_path, USERS, token=token)
    assert caught.value.status == 403
    assert token not in str(caught.value)


def body(pagination: object, *ids: int) -> bytes:
    meta = {"endpoint": "records.index", "pagination": pagination}
    return json.dumps({"data": [{"id": number} for number in ids], "meta": meta}).encode()


def error(code: str, message: str) -> bytes:
    return json.dumps({"error": {"code": code, "message": message, "data": {}}, "meta": {"endpoint": "x"}}).encode()


@pytest.fixture
def server() -> Iterator[Loopback]:
    with loopback() as running:
        yield running


@pytest.mark.parametrize(
    ("status", "code", "remedy"),
    [
        (401, "authorization_header_missing", "set ACCUTICS_API_TOKEN"),
        (403, "authorization", "may not read this"),
        (400, "something_new", "Correct the request"),
    ],
)
def test_the_code_decides_and_never_the_message(
    server: Loopback, tmp_path: Path, status: int, code: str, remedy: str
) -> None:
    server.answer(Reply(status, error(code, "invalid_route: please retry, the service is unavailable")))
    with pytest.raises(PermanentError, match=remedy) as caught:
        pull(server.url, tmp_path, RECORDS)
    assert caught.value.code == code
    assert len(server.requests) == 1


def test_next_on_another_host_is_not_followed_and_its_cursor_counts(server: Loopback, tmp_path: Path) -> None:
    with loopback() as elsewhere:
        first = body({"next_cursor": "2", "next": f"{elsewhere.url}/records?cursor=2"}, 1)
        server.answer(Reply(body=first), Reply(body=body({"next_cursor": None, "next": None}, 2)))
        pull(server.url, tmp_path, RECORDS)
        assert [each.path.rpartition("?")[2] for each in server.requests][1].endswith("cursor=2")
        assert elsewhere.requests == []


@pytest.mark.parametrize(
    "answer", [b"{}", b"[]", body(None, 1), b'{"data": {}, "meta": {"pagination": {}}}', b'{"data']
)
def test_an_answer_without_the_envelope_is_requested_again_and_then_fails(
    server: Loopback, tmp_path: Path, answer: bytes
) -> None:
    server.answer(Reply(body=answer))
    with pytest.raises(RetriesExhausted, match="data"):
        pull(server.url, tmp_path, RECORDS)
    assert len(server.requests) == 3


def test_a_page_that_the_callers_parser_rejects_is_requested_again(server: Loopback, tmp_path: Path) -> None:
    server.answer(Reply(body=body({"next_cursor": None}, 1)))
    reads = iter([BadBody("half a page"), None])

    def read(download: Download) -> int:
        if problem := next(reads):
            raise problem
        return download.bytes

    with client(server.url) as opened:
        assert len(opened.pages(RECORDS, folder=tmp_path, read=read).pages) == 1
    assert len(server.requests) == 2


def test_a_missing_key_column(server: Loopback, tmp_path: Path) -> None:
    server.answer(Reply(body=body({"next_cursor": None}, 1)))
    with pytest.raises(PermanentError, match="accutics /records: rows without the key column uuid; a row has id"):
        pull(server.url, tmp_path, listing("/records", "cursor", ("id", "uuid")))
