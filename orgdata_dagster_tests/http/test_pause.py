"""A pause that a vendor asks for is kept, up to a maximum. It is announced, and a person can end it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from orgdata_dagster.http import waiting
from orgdata_dagster.http.errors import TooLongAPause
from orgdata_dagster.http.rate_limit import RateLimit, Rule, Window
from orgdata_dagster.http.retry import RetryPolicy
from orgdata_dagster.http.waiting import Wait, span
from orgdata_dagster.state import FileState
from orgdata_dagster_tests.http.fakes import FakeClock, spend
from orgdata_dagster_tests.http.loopback import Reply
from orgdata_dagster_tests.http.rig import Rig

RULE = Rule(buckets=((Window(100, 60),),))
FINE = Reply(200, b"a\n1\n")
FAR = "Fri, 31 Dec 9999 23:59:59 GMT"


def refusing(after: str, status: int = 429, **headers: str) -> Reply:
    return Reply(status, b"slow down", {"Retry-After": after, **headers})


@pytest.mark.parametrize("after", ["86400", "901", "1795766122", "1795766122000", "1e300", FAR])
def test_a_pause_above_the_maximum_fails_all_requests_at_once_and_ends_after_the_maximum(
    rig: Rig, tmp_path: Path, after: str
) -> None:
    def opened() -> RateLimit:  # each is another process
        return RateLimit("acme", RULE, FileState(tmp_path), rig.clock)

    rig.server.answer(refusing(after), FINE)
    began = rig.clock.monotonic()
    with pytest.raises(
        TooLongAPause, match=r"HTTP 429 slow down: the vendor asks for a pause of .*longer than the 15 min"
    ):
        rig.fetch(rig.client(rate_limit=opened()))
    with pytest.raises(TooLongAPause, match=r"no request was sent.*`orgdata doctor --clear acme` lifts"):
        rig.fetch(rig.client(rate_limit=opened()))
    assert (rig.clock.monotonic() - began, len(rig.server.requests)) == (0, 1)
    rig.clock.sleep(901)
    assert rig.fetch(rig.client(rate_limit=opened())) == FINE.body


@pytest.mark.parametrize("after", ["-5", "-1e300", "0", "nan", "inf", "Thu, 01 Jan 1970 00:00:00 GMT", "soon", ""])
def test_an_invalid_retry_after_pauses_nobody(rig: Rig, tmp_path: Path, after: str) -> None:
    rate_limit = RateLimit("acme", RULE, FileState(tmp_path), rig.clock)
    rig.server.answer(refusing(after), FINE)
    assert rig.fetch(rig.client(rate_limit=rate_limit)) == FINE.body
    assert rate_limit.paused() is None
    assert sum(rig.clock.slept) <= 60


def test_a_person_can_lift_a_pause(rig: Rig, tmp_path: Path) -> None:
    rate_limit = RateLimit("acme", RULE, FileState(tmp_path), rig.clock)
    rig.server.answer(refusing("86400"), FINE)
    with pytest.raises(TooLongAPause):
        rig.fetch(rig.client(rate_limit=rate_limit))
    lifted = RateLimit("acme", RULE, FileState(tmp_path), rig.clock).resume()
    assert lifted is not None
    assert (lifted.seconds, lifted.requested) == (pytest.approx(900), pytest.approx(86_400))
    assert rig.fetch(rig.client(rate_limit=rate_limit)) == FINE.body


def test_a_waiting_request_notices_that_the_pause_was_lifted(rig: Rig, tmp_path: Path) -> None:
    rate_limit = RateLimit("acme", RULE, FileState(tmp_path), rig.clock)
    rig.server.answer(refusing("600"), FINE)
    client, sleep = rig.client(rate_limit=rate_limit), rig.clock.sleep

    def sleeping(seconds: float) -> None:
        sleep(seconds)
        if len(rig.clock.slept) == 3:
            RateLimit("acme", RULE, FileState(tmp_path), rig.clock).resume()

    rig.clock.sleep = sleeping  # type: ignore[method-assign]
    assert rig.fetch(client) == FINE.body
    assert sum(rig.clock.slept) == pytest.approx(10)  # two looks; the third sleep is the second of them


def test_the_maximum_is_the_policys_and_a_503_does_not_pause_other_requests(rig: Rig, tmp_path: Path) -> None:
    rate_limit = RateLimit("acme", RULE, FileState(tmp_path), rig.clock, longest_pause=5)
    client = rig.client(rate_limit=rate_limit, retry=RetryPolicy(longest_pause=5))
    rig.server.answer(refusing("6", 503))
    with pytest.raises(TooLongAPause, match="longer than the 5 s"):
        rig.fetch(client)
    assert rate_limit.paused() is None


def test_every_wait_is_announced_with_its_expected_end(rig: Rig, tmp_path: Path) -> None:
    waits: list[Wait] = []
    rate_limit = RateLimit("acme", Rule(buckets=((Window(1, 60),),)), FileState(tmp_path), rig.clock)
    rig.server.answer(refusing("30", 503), FINE, refusing("600"), FINE)
    client = rig.client(rate_limit=rate_limit)
    with waiting.watch(waits.append):
        rig.fetch(client)
        rig.fetch(client)
    assert [(wait.vendor, wait.reason, round(wait.seconds or 0)) for wait in waits] == [
        ("acme", "attempt 2 of 6 after HTTP 503 slow down", 30),
        ("acme", "the rate limit", 33),
        ("acme", "the rate limit", 63),
        ("acme", "the end of the pause that the vendor asked for", 600),
    ]
    assert str(waits[-1]).startswith("waiting for the end of the pause that the vendor asked for until ")
    assert str(waits[-1]).endswith(" UTC (600 s)")


def test_a_wait_for_other_requests_is_announced(tmp_path: Path) -> None:
    waits: list[Wait] = []
    clock = FakeClock()
    rule = Rule(in_flight=1)
    one, other = (RateLimit("acme", rule, FileState(tmp_path), clock, patience=10) for _ in range(2))
    with waiting.watch(waits.append), one.spend(), pytest.raises(TimeoutError), other.spend():
        pass
    assert [(wait.seconds, "1 request of other runs" in wait.reason) for wait in waits] == [(None, True)]


def test_a_stored_pause_is_limited_too(
    rate_limit: Callable[[Rule], RateLimit], tmp_path: Path, clock: FakeClock
) -> None:
    """An older version or another setting may have stored it."""
    RateLimit("vendor", RULE, FileState(tmp_path), clock, boot=lambda: "boot 1", longest_pause=1e9).pause(1e9)
    for _ in range(3):  # reading the pause must not extend it
        clock.sleep(300)
        pause = rate_limit(RULE).paused()
    assert pause is not None
    assert pause.seconds == pytest.approx(300)
    assert spend(rate_limit(RULE)) == pytest.approx(300)


def test_shared_backoff_grows_with_the_failures_of_all_processes(rig: Rig, tmp_path: Path) -> None:
    def opened() -> RateLimit:
        return RateLimit("acme", RULE, FileState(tmp_path), rig.clock, longest_pause=32)

    policy = RetryPolicy(attempts=1, shortest_wait=1, longest_wait=32, shared_backoff=True)
    pauses = []
    rig.server.answer(refusing("", 429), Reply(500), Reply(502), Reply(503), FINE, Reply(503))
    for _ in range(4):
        with pytest.raises(Exception, match="gave up"):
            rig.fetch(rig.client(rate_limit=opened(), retry=policy))
        pause = opened().paused()
        assert pause is not None
        pauses.append(pause.seconds)
    assert pauses == [pytest.approx(seconds) for seconds in (1, 2, 4, 8)]
    rig.fetch(rig.client(rate_limit=opened(), retry=policy))
    with pytest.raises(Exception, match="gave up"):
        rig.fetch(rig.client(rate_limit=opened(), retry=policy))
    pause = opened().paused()
    assert pause is not None
    assert pause.seconds == pytest.approx(1)


def test_the_vendors_pause_counts_with_shared_backoff_too(rig: Rig, tmp_path: Path) -> None:
    rate_limit = RateLimit("acme", RULE, FileState(tmp_path), rig.clock, longest_pause=32)
    policy = RetryPolicy(shortest_wait=1, longest_wait=32, longest_pause=32, shared_backoff=True)
    rig.server.answer(refusing("20", 503), FINE)
    rig.fetch(rig.client(rate_limit=rate_limit, retry=policy))
    assert sum(rig.clock.slept) == pytest.approx(20)
    rig.server.answer(refusing("33", 503), FINE)
    with pytest.raises(TooLongAPause):
        rig.fetch(rig.client(rate_limit=rate_limit, retry=dataclasses.replace(policy, attempts=9)))


@pytest.mark.parametrize(
    ("seconds", "text"), [(5, "5 s"), (60, "1 min"), (900, "15 min"), (90, "90 s"), (86_400, "24 h"), (7200, "2 h")]
)
def test_spans(seconds: float, text: str) -> None:
    assert span(seconds) == text
