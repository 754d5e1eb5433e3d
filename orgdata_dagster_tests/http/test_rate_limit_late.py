"""Requests that start, leave or arrive later than planned are recorded with the later time, and no limit is broken."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from orgdata_dagster.http.rate_limit import RateLimit, Rule, Window
from orgdata_dagster_tests.http.fakes import FakeClock, spend
from orgdata_dagster_tests.http.servers_book import rejected

TWO_IN_TEN = Rule(buckets=((Window(2, 10),),))
OCTOLIS = Rule(buckets=((Window(25, 1), Window(150, 60)), (Window(2000, 60),)))


def test_a_late_start_counts_from_when_it_was_sent(rate_limit: Callable[[Rule], RateLimit], clock: FakeClock) -> None:
    one = Rule(buckets=((Window(1, 10),),))
    with rate_limit(one).spend() as permit:
        clock.sleep(6)  # the connection took so long
        permit.sent()
        permit.sent()
        assert permit.waited == 0
    assert spend(rate_limit(one)) == pytest.approx(10.5 - one.grace)


def test_a_start_after_its_payment_was_deleted_pays_again(
    rate_limit: Callable[[Rule], RateLimit], clock: FakeClock
) -> None:
    one = Rule(buckets=((Window(1, 10),),))
    with rate_limit(one).spend() as permit:
        clock.sleep(100)
        rate_limit(one).usage()
        permit.sent()
    assert spend(rate_limit(one)) == pytest.approx(10.5 - one.grace)


def test_a_late_start_waits_if_its_window_is_full_by_now(
    rate_limit: Callable[[Rule], RateLimit], clock: FakeClock
) -> None:
    """At 10.6 s its own payment has left the window, but two others are in it now."""
    with rate_limit(TWO_IN_TEN).spend() as permit:
        clock.sleep(10.6)
        spend(rate_limit(TWO_IN_TEN), 2)
        permit.sent()
        assert permit.waited == pytest.approx(10.5)


def test_a_start_on_time_writes_nothing(
    rate_limit: Callable[[Rule], RateLimit], clock: FakeClock, tmp_path: Path
) -> None:
    def stored() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    with rate_limit(TWO_IN_TEN).spend() as permit:
        clock.sleep(0.05)
        before = stored()
        permit.sent()
        assert before
        assert stored() == before


def test_a_request_that_leaves_late_is_recorded_with_the_later_time(
    rate_limit: Callable[[Rule], RateLimit], clock: FakeClock
) -> None:
    one = Rule(buckets=((Window(1, 10),),))
    with rate_limit(one).spend() as permit:
        permit.sent()
        clock.sleep(6)  # the machine stood still between the first byte and the last
        permit.left()
        permit.left()
    assert spend(rate_limit(one)) == pytest.approx(10.5)


def test_a_machine_that_freezes_at_times_breaks_no_limit(
    rate_limit: Callable[[Rule], RateLimit], clock: FakeClock
) -> None:
    octolis, chance, arrivals, began = rate_limit(OCTOLIS), random.Random(3), [], clock.monotonic()
    for _ in range(400):
        with octolis.spend(10) as permit:
            permit.sent()
            clock.sleep(chance.choice([0] * 30 + [0.2, 0.5]))
            arrivals.append((clock.monotonic(), 10))
            permit.left()
    assert rejected(OCTOLIS, arrivals) == []
    assert len(arrivals) / (clock.monotonic() - began) * 60 > 0.85 * 135


def test_a_request_that_travels_for_a_long_time_breaks_no_limit(
    rate_limit: Callable[[Rule], RateLimit], clock: FakeClock
) -> None:
    """It left on time. Only the answer shows that the vendor received it late."""
    octolis, chance, arrivals, began = rate_limit(OCTOLIS), random.Random(3), [], clock.monotonic()
    for number in range(400):
        stands_still = number > 3 and chance.random() < 0.1  # by then, the usual duration is known
        with octolis.spend(10) as permit:
            permit.sent()
            permit.left()
            clock.sleep(chance.choice([0.1, 0.2, 0.5]) if stands_still else 0)
            arrivals.append((clock.monotonic(), 10))
            clock.sleep(0.02 + 0.02 * chance.random())
            permit.answered()
    assert rejected(OCTOLIS, arrivals) == []
    assert len(arrivals) / (clock.monotonic() - began) * 60 > 0.85 * 135
