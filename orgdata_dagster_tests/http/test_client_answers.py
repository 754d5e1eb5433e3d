"""Redirects, errors and records of the HTTP client, against a real server on loopback."""

from datetime import UTC, datetime

import httpx
import pytest

from orgdata_dagster.http.client import MAX_REDIRECTS
from orgdata_dagster.http.errors import (
    BadBody,
    ErrorDetail,
    PermanentError,
    UnsafeUrl,
)
from orgdata_dagster.http.records import Download
from orgdata_dagster_tests.http.loopback import Loopback, Reply
from orgdata_dagster_tests.http.rig import Rig

BUSY, FINE = Reply(503, b"busy"), Reply(200, b"a,b\n1,2\n")


# --- redirects --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "method"), [(301, "GET"), (302, "GET"), (303, "GET"), (307, "POST"), (308, "POST")])
def test_redirects_on_the_same_origin(rig: Rig, status: int, method: str) -> None:
    rig.server.answer(Reply(status, headers={"Location": "/y?page=2"}), FINE)
    client = rig.client("/v1", params={"api-key": "k"})
    assert rig.fetch(client, method="POST", json={"q": 1}, cost=3) == FINE.body
    hop = rig.server.requests[1]
    assert (hop.method, hop.path) == (method, "/y?page=2&api-key=k")
    assert hop.body == (b'{"q":1}' if method == "POST" else b"")
    assert rig.rate_limit.paid == [3, 3]
    assert [(record.status, record.attempt) for record in rig.records] == [(status, 1), (200, 1)]


def test_a_redirect_to_another_port_is_refused_and_nothing_goes_there(rig: Rig, other_server: Loopback) -> None:
    rig.server.answer(Reply(307, headers={"Location": f"{other_server.url}/x"}))
    with pytest.raises(UnsafeUrl) as caught:
        rig.fetch(rig.client(headers={"api-key": "k"}))
    assert (other_server.requests, other_server.connections) == ([], 0)
    assert len(rig.server.requests) == 1
    assert (caught.value.vendor, caught.value.endpoint, caught.value.status) == ("acme", "/x", 307)


def test_circular_redirects_end_with_an_error(rig: Rig) -> None:
    rig.server.answer(Reply(302, headers={"Location": "/x"}))
    with pytest.raises(PermanentError, match="more than 5 redirects"):
        rig.fetch(rig.client())
    assert len(rig.rate_limit.paid) == MAX_REDIRECTS + 1


# --- errors and records -----------------------------------------------------------------------------------------------


# octolis.md, Errors handling; accutics.md, Error responses
VALIDATION = b'{"title": "Validation failed", "detail": "c - must be boolean", "status": 400}'
ROUTE = b'{"error": {"code": "invalid_route", "message": "no such", "data": {}}, "meta": {}}'


@pytest.mark.parametrize(
    ("sent", "code", "message"),
    [
        (VALIDATION, "Validation failed", "c - must be boolean"),
        (ROUTE, "invalid_route", "no such"),
        (b'{"error": "plain"}', "", "plain"),
        (b"[1, 2]", "", "[1, 2]"),
        (b"\xff oops\n twice", "", "\ufffd oops twice"),
        (b"", "", "Bad Request"),
        (b"<!DOCTYPE html><p>long page", "", "an HTML page instead of the API's answer"),
        (b"x" * 100_000, "", "x" * 499 + "…"),
    ],
)
def test_the_vendors_error_code_and_message_are_read(rig: Rig, sent: bytes, code: str, message: str) -> None:
    rig.server.answer(Reply(400, sent))
    with pytest.raises(PermanentError) as caught:
        rig.fetch(rig.client())
    assert (caught.value.code, caught.value.message) == (code, message)


def test_a_vendor_can_have_its_own_error_reader(rig: Rig) -> None:
    def reader(body: bytes, headers: httpx.Headers) -> ErrorDetail:
        return ErrorDetail(headers["x-code"], body.decode().upper())

    rig.server.answer(Reply(404, b"gone", {"x-code": "E1", "x-request-id": "r1", "traceparent": "t1"}))
    with pytest.raises(PermanentError) as caught:
        rig.fetch(rig.client(error_reader=reader))
    assert str(caught.value).startswith("acme /x: HTTP 404 [E1] GONE (x-request-id=r1, traceparent=t1). Check ")


def test_each_attempt_is_recorded(rig: Rig) -> None:
    rig.server.answer(Reply(502, b"off"), Reply(200, b"data", {"x-request-id": "r2"}))
    rig.rate_limit.wait = 1.5
    rig.fetch(rig.client(), "/rows?cursor=1", params={"a": "b"}, cost=2)
    first, second = rig.records
    assert (first.vendor, first.endpoint, first.method, first.attempt) == ("acme", "/rows", "GET", 1)
    assert (first.status, first.cost, first.waited, first.bytes) == (502, 2, 1.5, 3)
    assert (first.error, first.request_id) == ("HTTP 502 off", None)
    assert (second.status, second.attempt, second.bytes) == (200, 2, 4)
    assert (second.error, second.request_id) == (None, "r2")
    assert first.at == datetime.fromtimestamp(1_700_000_001.5, UTC)


def test_a_download_has_the_vendors_time(rig: Rig) -> None:
    seen: list[Download] = []
    rig.server.answer(Reply(200, b"x", {"Date": "Sun, 01 Mar 2026 12:00:00 GMT"}), Reply(200, b"x"))
    rig.fetch(rig.client(), read=seen.append)
    rig.fetch(rig.client(), read=seen.append)
    assert seen[0].server_time == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert seen[1].server_time is None
    assert (seen[0].status, seen[0].endpoint, seen[0].path) == (200, "/x", rig.into)


def test_a_request_is_retried_if_the_reader_rejects_its_body(rig: Rig) -> None:
    def read(download: Download) -> str:
        if download.attempts < 3:
            raise BadBody("row 3 does not parse")
        return "parsed"

    assert rig.fetch(rig.client(), read=read) == "parsed"
    assert [record.error for record in rig.records] == ["row 3 does not parse", "row 3 does not parse", None]
    assert len(rig.rate_limit.paid) == 3


def test_a_bug_in_a_reader_is_not_retried_and_leaves_no_file(rig: Rig) -> None:
    with pytest.raises(ZeroDivisionError):
        rig.fetch(rig.client(), read=lambda _: 1 // 0)
    assert (len(rig.server.requests), rig.left_over()) == (1, [])
    assert rig.records[0].error == "ZeroDivisionError"
