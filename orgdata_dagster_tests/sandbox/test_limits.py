import math

import pytest

from orgdata_dagster.sandbox.limits import Limiter, Limits, Refusal, Rule, Window

# The rules of the vendors' documents, as their packages will write them.
OCTOLIS = Limits(rules=(Rule((Window(25, 1), Window(150, 60))), Rule((Window(2000, 60),), shared=True)))
TOGETHER = Limits(rules=(Rule((Window(1, 60),)),), at_once=1, revoke_after=1)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def admitted(limiter: Limiter, key: str, cost: int, tries: int) -> int:
    """How many of so many consecutive requests are accepted."""
    count = 0
    for _ in range(tries):
        if limiter.enter(key, cost) is None:
            limiter.leave(key)
            count += 1
    return count


def test_a_window_slides_and_has_no_slack(clock: Clock) -> None:
    limiter = Limiter(Limits(rules=(Rule((Window(2, 60),)),)), clock)
    assert admitted(limiter, "k", 1, 1) == 1
    clock.now = 30
    assert admitted(limiter, "k", 1, 2) == 1
    clock.now = 59.999
    refusal = limiter.enter("k")
    assert refusal is not None
    assert refusal.retry_after == pytest.approx(0.001)
    clock.now = 60
    assert admitted(limiter, "k", 1, 2) == 1
    assert limiter.violations == 3


def test_octolis_arithmetic(clock: Clock) -> None:
    """By the document: 17 writes of 10 points in the first second, then 2 per second for 59 seconds, 135 in total."""
    limiter = Limiter(OCTOLIS, clock)
    first = admitted(limiter, "k", 10, 30)
    rest = []
    for second in range(1, 60):
        clock.now = second
        rest.append(admitted(limiter, "k", 10, 5))
    assert (first, set(rest), first + sum(rest)) == (17, {2}, 135)


def test_a_request_is_paid_whole_by_one_window(clock: Clock) -> None:
    limiter = Limiter(Limits(rules=(Rule((Window(25, 1), Window(150, 60))),)), clock)
    assert admitted(limiter, "k", 20, 100) == 1 + 7  # 5 and 10 points are left, and 15 pay for no request of 20


def test_a_shared_rule_is_one_account_for_all_keys(clock: Clock) -> None:
    limiter = Limiter(OCTOLIS, clock)
    assert sum(admitted(limiter, f"key {n}", 1, 200) for n in range(20)) == 2000
    assert limiter.enter("another key", 1) == Refusal("too many requests", 60)


def test_a_refused_request_is_charged_nothing(clock: Clock) -> None:
    limiter = Limiter(Limits(rules=(Rule((Window(100, 60),)), Rule((Window(10, 60),)))), clock)
    assert admitted(limiter, "k", 10, 50) == 1
    clock.now = 59
    assert admitted(limiter, "k", 10, 50) == 0
    clock.now = 60
    assert admitted(limiter, "k", 10, 1) == 1


def test_at_once_counts_what_has_not_left(clock: Clock) -> None:
    limiter = Limiter(Limits(at_once=2), clock)
    assert [limiter.enter("k"), limiter.enter("k"), limiter.enter("other")] == [None, None, None]
    assert limiter.enter("k") is not None
    limiter.leave("k")
    assert limiter.enter("k") is None


def test_a_key_is_revoked_for_good(clock: Clock) -> None:
    limiter = Limiter(TOGETHER, clock)
    assert limiter.enter("k") is None
    limiter.leave("k")
    assert not limiter.revoked("k")
    assert limiter.enter("k") is not None
    clock.now = 3600
    assert limiter.revoked("k")
    assert not limiter.revoked("another")


def test_a_cost_that_never_fits_is_always_refused(clock: Clock) -> None:
    assert Limiter(OCTOLIS, clock).enter("k", 151) == Refusal("too many requests", math.inf)
