"""Requests, payments and retries of the HTTP client, against a real server on loopback."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pytest

from orgdata_dagster.http.client import HttpClient
from orgdata_dagster.http.connection import Timeouts, https_proxy
from orgdata_dagster.http.errors import (
    PermanentError,
    RetriesExhausted,
    UnsafeUrl,
)
from orgdata_dagster.http.rate_limit import RateLimit, Rule, Window
from orgdata_dagster.http.records import Download
from orgdata_dagster.http.retry import RetryPolicy
from orgdata_dagster.state import FileState
from orgdata_dagster_tests.http.loopback import Reply
from orgdata_dagster_tests.http.rig import Rig
from orgdata_dagster_tests.waiting import wait_until

BUSY, FINE = Reply(503, b"busy"), Reply(200, b"a,b\n1,2\n")


# --- requests ---------------------------------------------------------------------------------------------------------


def test_base_path_params_headers_and_json(rig: Rig) -> None:
    client = rig.client("/v1/data/", params={"api-key": "k", "size": 2}, headers={"organization-id": "7"})
    rig.fetch(
        client,
        "/rows",
        method="POST",
        params={"size": 5, "after": "2026-01-01T00:00:00+00:00", "no": None, "id": [1, 2]},
        headers={"x-mine": "y"},
        json={"q": "é"},
    )
    received = rig.server.requests[0]
    assert received.method == "POST"
    assert received.path == "/v1/data/rows?api-key=k&size=5&after=2026-01-01T00%3A00%3A00%2B00%3A00&id=1&id=2"
    assert (received.headers["organization-id"], received.headers["x-mine"]) == ("7", "y")
    assert json.loads(received.body) == {"q": "é"}


def test_a_next_link_on_the_same_origin_is_followed_with_the_credentials(rig: Rig) -> None:
    client = rig.client("/v1", params={"api-key": "k"})
    rig.fetch(client, f"{rig.server.url}/v1/rows?cursor=a%2Fb#top")
    assert rig.server.requests[0].path == "/v1/rows?cursor=a%2Fb&api-key=k"


@pytest.mark.parametrize("link", ["http://127.0.0.1:9/x", "//evil.example/x", "https://127.0.0.1/", "http:x"])
def test_a_link_to_another_origin_is_refused_before_anything_is_paid_or_sent(rig: Rig, link: str) -> None:
    with pytest.raises(UnsafeUrl, match=r"^acme: "):
        rig.fetch(rig.client(), link)
    assert (rig.server.requests, rig.rate_limit.paid) == ([], [])


@pytest.mark.parametrize("base", ["ftp://h", "http://u:p@h", "h.example/v1", "", "http://h/?key=1", "http://h/#x"])
def test_an_unusable_base_url_is_refused(base: str) -> None:
    with pytest.raises(UnsafeUrl, match="base URL") as caught:
        HttpClient("acme", base)
    assert "u:p" not in str(caught.value)


def test_a_credential_with_a_line_end_is_refused_without_showing_it(rig: Rig) -> None:
    with pytest.raises(PermanentError, match=r"header api-key .* Check ACME_KEY") as caught:
        rig.client(headers={"api-key": "sesame\n"}, credentials_from=("ACME_KEY",))
    assert "sesame" not in str(caught.value)


def test_one_connection_serves_many_requests_even_after_refusals_and_redirects(rig: Rig) -> None:
    client = rig.client()
    moved = Reply(302, b"moved", {"Location": "/y"})
    rig.server.answer(FINE, BUSY, FINE, moved, FINE)
    for _ in range(20):
        assert rig.fetch(client) == FINE.body
    assert len(rig.server.requests) == 22
    assert rig.server.connections == 1


def test_threads_share_a_client(rig: Rig, tmp_path: Path) -> None:
    client, sizes = rig.client(rate_limit=None), []
    rig.server.answer(Reply(200, b"x" * 100_000))

    def work(number: int) -> None:
        for _ in range(5):
            sizes.append(client.fetch("/x", into=tmp_path / str(number), read=lambda download: download.bytes))

    threads = [threading.Thread(target=work, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sizes == [100_000] * 20


def test_a_proxy_from_the_environment_is_used_only_for_https(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy:3128")
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    monkeypatch.setenv("no_proxy", "inside.example")
    assert https_proxy("https://vendor.example/v1") == "http://proxy:3128"
    assert https_proxy("https://inside.example/v1") is None
    assert https_proxy("http://vendor.example/v1") is None


@pytest.mark.parametrize("exception", ["::1", "[::1]", "[::1]:8443", "vendor.example:8443", "other, vendor.example"])
def test_no_proxy_names_hosts_ports_and_ipv6_addresses(monkeypatch: pytest.MonkeyPatch, exception: str) -> None:
    monkeypatch.setenv("https_proxy", "http://user:sesame@proxy:3128")
    monkeypatch.setenv("no_proxy", exception)
    host = "[::1]" if "::" in exception else "vendor.example"
    assert https_proxy(f"https://{host}:8443/v1") is None
    assert https_proxy("https://elsewhere.example:8443/v1") == "http://user:sesame@proxy:3128"


def test_a_proxy_without_a_scheme_speaks_http(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "proxy:3128")
    assert https_proxy("https://vendor.example/v1") == "http://proxy:3128"


@pytest.mark.parametrize(
    "proxy", ["socks5://proxy:1080", "http://", "http://pro xy:x", "http://proxy:99999", f"http://u:p@{'a' * 64}:1"]
)
def test_what_is_not_the_address_of_an_http_proxy_is_refused(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("https_proxy", proxy)
    with pytest.raises(UnsafeUrl, match="HTTPS_PROXY is not the address of an HTTP proxy"):
        https_proxy("https://vendor.example/v1")


# --- paying and retrying ----------------------------------------------------------------------------------------------


def test_every_attempt_pays(rig: Rig) -> None:
    rig.server.answer(BUSY, BUSY, BUSY, FINE)
    rig.rate_limit.wait = 2.0
    seen: list[Download] = []
    rig.fetch(rig.client(), cost=5, read=seen.append)
    assert rig.rate_limit.paid == [5, 5, 5, 5]
    assert len(rig.server.requests) == 4
    assert (seen[0].attempts, seen[0].waited) == (4, 8.0)
    assert [(permit.sends, permit.departures, permit.answers) for permit in rig.rate_limit.permits] == [(1, 1, 1)] * 4


def test_the_lease_covers_the_download_but_not_its_processing(rig: Rig) -> None:
    during: list[int] = []

    def slowly(wire: object) -> None:
        during.append(rig.rate_limit.in_flight)
        wire.write(b"data")  # type: ignore[attr-defined]

    rig.server.answer(Reply(200, length=4, write=slowly))
    rig.fetch(rig.client(), read=lambda _: during.append(rig.rate_limit.in_flight))
    assert during == [1, 0]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 422])
def test_a_refused_request_is_not_retried(rig: Rig, status: int) -> None:
    rig.server.answer(Reply(status, b"no"))
    with pytest.raises(PermanentError) as caught:
        rig.fetch(rig.client(credentials_from=("ACME_KEY",)))
    assert (len(rig.server.requests), rig.clock.slept) == (1, [0.0])
    assert caught.value.status == status
    assert ("ACME_KEY" in str(caught.value)) == (status in (401, 403))


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_a_transient_status_is_retried(rig: Rig, status: int) -> None:
    rig.server.answer(Reply(status), FINE)
    assert rig.fetch(rig.client()) == FINE.body
    assert len(rig.server.requests) == 2


def test_a_vendor_can_add_transient_statuses(rig: Rig) -> None:
    rig.server.answer(Reply(423), FINE)
    assert rig.fetch(rig.client(retry=RetryPolicy(extra_statuses=frozenset({423})))) == FINE.body


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "17"}, 17),
        (
            {"Retry-After": "Sun, 01 Mar 2026 12:00:25 GMT", "Date": "Sun, 01 Mar 2026 12:00:00 GMT"},
            25,
        ),
    ],
)
def test_retry_after_is_obeyed_to_the_second_by_all_processes(
    rig: Rig, headers: dict[str, str], seconds: float
) -> None:
    rig.server.answer(Reply(429, headers=headers), FINE)
    rig.fetch(rig.client())
    assert [slept for slept in rig.clock.slept if slept] == [seconds]
    assert rig.rate_limit.pauses == [seconds]


def test_the_final_error_lists_all_attempts(rig: Rig) -> None:
    rig.server.answer(Reply(500), Reply(503, b'{"title": "Busy", "detail": "later"}', {"apigw-requestid": "r-77"}))
    with pytest.raises(RetriesExhausted) as caught:
        rig.fetch(rig.client(retry=RetryPolicy(attempts=3)), "/deep/rows?cursor=1")
    error = caught.value
    assert (error.attempts, len(rig.rate_limit.paid), error.status, error.code) == (3, 3, 503, "Busy")
    assert error.reasons == ("HTTP 500 Internal Server Error", "HTTP 503 [Busy] later", "HTTP 503 [Busy] later")
    assert str(error).startswith("acme /deep/rows: gave up after 3 attempts in ")
    assert "(apigw-requestid=r-77). Try again later" in str(error)


def test_a_refused_connection_is_retried_and_then_reported(rig: Rig) -> None:
    with socket.socket() as taken:
        taken.bind(
            ("127.0.0.1", 0)
        )  # bound and not listening: no other program gets this port, and it refuses connections
        client = HttpClient("acme", f"http://127.0.0.1:{taken.getsockname()[1]}", clock=rig.clock)
        with client, pytest.raises(RetriesExhausted, match="refused the connection") as caught:
            rig.fetch(client)
    assert caught.value.attempts == 6
    assert caught.value.__cause__ is caught.value.__context__ is None


def test_timeouts(rig: Rig) -> None:
    release = threading.Event()
    rig.server.answer(Reply(200, length=5, write=lambda _: release.wait(10) and None), FINE)
    try:
        assert rig.fetch(rig.client(timeouts=Timeouts(read=0.1))) == FINE.body
    finally:
        release.set()
    assert "ReadTimeout" in (rig.records[0].error or "")


def test_an_endless_slow_body_is_stopped(rig: Rig) -> None:
    def drip(wire: object) -> None:
        for _ in range(1000):
            rig.clock.sleep(60)
            wire.write(b"x")  # type: ignore[attr-defined]

    rig.server.answer(Reply(200, length=1000, write=drip), FINE)
    client = rig.client(timeouts=Timeouts(whole=600), retry=RetryPolicy(total_seconds=1e9))
    assert rig.fetch(client) == FINE.body
    assert rig.records[0].error == "the answer took more than 600 s"


@contextmanager
def dripping(rig: Rig, text: bytes, *, after_head: bool) -> Iterator[Callable[[BinaryIO], None]]:
    """A server that takes 700 s by the client's clock for a part of its answer, and sends no more.

    after_head: whether it begins when the client has read the head.
    """
    ended = threading.Event()
    began = time.monotonic()

    def drip(wire: BinaryIO) -> None:
        wait_until(lambda: rig.rate_limit.permits[-1].answers or not after_head)
        rig.clock.sleep(700)
        wire.write(text)
        ended.wait(20)

    yield drip
    ended.set()
    assert time.monotonic() - began < 15


def test_an_endless_slow_head_is_stopped(rig: Rig) -> None:
    with dripping(rig, b"X-Part: x\r\n", after_head=False) as drip:
        rig.server.answer(Reply(200, head=drip), FINE)
        client = rig.client(timeouts=Timeouts(whole=600), retry=RetryPolicy(total_seconds=1e9))
        assert rig.fetch(client) == FINE.body
    assert rig.records[0].error == "the answer took more than 600 s"


@pytest.mark.parametrize("status", [404, 503])
def test_an_endless_slow_body_of_a_refusal_is_not_read_to_its_end(rig: Rig, status: int) -> None:
    """Its status is enough."""
    with dripping(rig, b"x", after_head=True) as drip:
        rig.server.answer(Reply(status, length=1000, write=drip), FINE)
        client = rig.client(timeouts=Timeouts(whole=600), retry=RetryPolicy(attempts=1))
        with pytest.raises((PermanentError, RetriesExhausted), match=str(status)):
            rig.fetch(client)
    assert rig.records[0].status == status


def test_waiting_again_for_the_rate_limit_is_not_part_of_the_exchange(rig: Rig) -> None:
    rig.server.answer(FINE)
    rig.rate_limit.wait_again = 700.0
    assert rig.fetch(rig.client(timeouts=Timeouts(whole=600), retry=RetryPolicy(total_seconds=1e9))) == FINE.body


# --- with the real rate limit


def test_the_real_rate_limit_counts_every_attempt_and_pauses_after_a_429(rig: Rig, tmp_path: Path) -> None:
    rate_limit = RateLimit("acme", Rule(buckets=((Window(100, 60),),), in_flight=1), FileState(tmp_path), rig.clock)
    rig.server.answer(BUSY, FINE, Reply(429, headers={"Retry-After": "7"}))
    client = rig.client(rate_limit=rate_limit, retry=RetryPolicy(attempts=2))
    assert rig.fetch(client, cost=4) == FINE.body
    began = rig.clock.monotonic()
    with pytest.raises(RetriesExhausted, match="after 2 attempts"):
        rig.fetch(client, cost=4)
    assert rig.clock.monotonic() - began == pytest.approx(7)
    assert [window.spent for window in rate_limit.usage()] == [16]
    pause = rate_limit.paused()
    assert pause is not None
    assert pause.seconds == pytest.approx(7)
