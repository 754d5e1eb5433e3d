"""A process that is asked to stop: whatever a thread waits for, the wait ends at once or after a short grace period."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from orgdata_dagster.http.client import HttpClient
from orgdata_dagster.http.clock import SYSTEM
from orgdata_dagster.http.rate_limit import RateLimit, Rule, Window
from orgdata_dagster.http.retry import RetryPolicy
from orgdata_dagster.state import FileState, stopping
from orgdata_dagster_tests.http.loopback import Loopback, Reply
from orgdata_dagster_tests.stopping import stopped
from orgdata_dagster_tests.waiting import wait_until

GRACE = 0.3  # seconds

pytestmark = pytest.mark.usefixtures("goes_on")


def silent(_: BinaryIO) -> None:
    time.sleep(20)


def dripping(body: BinaryIO) -> None:
    for _ in range(200):
        body.write(b"x")
        body.flush()
        time.sleep(0.1)


def fetch(client: HttpClient, folder: Path) -> object:
    return client.fetch("/rows", into=folder / "page", read=lambda download: download.bytes)


@pytest.mark.parametrize("write", [silent, dripping])
def test_a_missing_answer_is_not_waited_for(
    server: Loopback, tmp_path: Path, write: Callable[[BinaryIO], None]
) -> None:
    server.answer(Reply(length=1000, write=write))
    with HttpClient("vendor", server.url, clock=SYSTEM) as client:
        took = stopped(lambda: fetch(client, tmp_path), grace=GRACE, under_way=lambda: server.requests)
    assert took >= GRACE
    assert list(tmp_path.iterdir()) == []  # nor is half of it kept


def test_a_body_that_ends_with_its_connection_is_not_complete_if_the_stop_ended_it(
    server: Loopback, tmp_path: Path
) -> None:
    server.answer(Reply(length=None, write=dripping))
    with HttpClient("vendor", server.url, clock=SYSTEM) as client:
        stopped(lambda: fetch(client, tmp_path), grace=GRACE, under_way=lambda: server.requests)
    assert list(tmp_path.iterdir()) == []


def test_an_answer_that_arrives_soon_is_accepted_and_no_further_request_is_sent(
    server: Loopback, tmp_path: Path
) -> None:
    server.answer(Reply(length=2, write=lambda body: (wait_until(stopping.stopping), body.write(b"ok"))[0]))
    sizes: list[object] = []

    def two_pages() -> None:
        with HttpClient("vendor", server.url, clock=SYSTEM) as client:
            while True:
                sizes.append(fetch(client, tmp_path))

    stopped(two_pages, under_way=lambda: server.requests)
    assert sizes == [2]
    assert len(server.requests) == 1


def test_the_wait_before_a_retry_ends(server: Loopback, tmp_path: Path) -> None:
    server.answer(Reply(503, headers={"Retry-After": "60"}))
    with HttpClient("vendor", server.url, clock=SYSTEM, retry=RetryPolicy(attempts=3)) as client:
        stopped(lambda: fetch(client, tmp_path), under_way=lambda: server.requests)


def test_the_wait_for_the_rate_limit_ends_and_frees_its_slot(tmp_path: Path) -> None:
    rate_limit = RateLimit("vendor", Rule(buckets=((Window(1, 60),),), unknown_past="free"), FileState(tmp_path))

    def spend() -> None:
        with rate_limit.spend():
            pass

    spend()
    stopped(spend)
    assert [used.spent for used in rate_limit.usage()] == [1]


def test_a_wait_for_other_requests_ends(tmp_path: Path) -> None:
    rate_limit = RateLimit("vendor", Rule(buckets=(), in_flight=1), FileState(tmp_path))

    def spend() -> None:
        with rate_limit.spend():
            pass

    with rate_limit.spend():
        stopped(spend)
