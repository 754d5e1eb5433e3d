"""The planner, compared with a server that counts independently."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orgdata_dagster.http.rate_limit import Rule, Window
from orgdata_dagster.http.rate_limit.planner import Spent, earliest
from orgdata_dagster_tests.http.servers_book import rejected

OCTOLIS = Rule(buckets=((Window(25, 1), Window(150, 60)), (Window(2000, 60),)))
# the same shape, small enough for a random sequence to run into every limit
SMALL = Rule(buckets=((Window(25, 1), Window(30, 3)), (Window(80, 3),)))
TOGETHER = Rule(buckets=((Window(1, 60),),), in_flight=1)


def paid(at: float, cost: float, *windows: int, proven: float = -math.inf) -> Spent:
    return Spent(at, cost, tuple((window,) for window in windows), proven)


def test_without_payments_a_request_is_sent_at_once() -> None:
    assert earliest(OCTOLIS, [], 1, 10.0) == (10.0, (0, 0))


def test_an_empty_rule_limits_nothing() -> None:
    assert earliest(Rule(), [], 5, 10.0) == (10.0, ())


def test_one_request_per_minute_waits_a_minute_and_the_margin() -> None:
    assert earliest(TOGETHER, [paid(10.0, 1, 0)], 1, 11.0) == (pytest.approx(73.0), (0,))


def test_a_cost_that_does_not_fit_the_first_window_is_paid_by_the_second() -> None:
    assert earliest(OCTOLIS, [paid(10.0, 10, 0, 0), paid(10.0, 10, 0, 0)], 10, 10.0) == (10.0, (1, 0))


def test_seventeen_writes_go_at_once_and_then_two_a_second() -> None:
    """The document's own example: (25 + 150) / 10 in the first second, 25 / 10 in those after it."""
    past: list[Spent] = []
    times = []
    for _ in range(21):
        at, windows = earliest(OCTOLIS, past, 10, times[-1] if times else 0.0)
        times.append(at)
        past.append(paid(at, 10, *windows))
    assert times[16] == 0.0
    assert times[17:] == pytest.approx([1.05, 1.05, 2.1, 2.1])


def test_waits_while_the_vendors_choice_of_window_is_uncertain() -> None:
    """Between 0.95 and 1.05 s it is unknown whether the first window still contains the old payment."""
    full = [paid(0.0, 25, 0, 0)]
    assert earliest(OCTOLIS, full, 1, 0.94) == (0.94, (1, 0))
    assert earliest(OCTOLIS, full, 1, 0.96) == (pytest.approx(1.05), (0, 0))


def test_an_unconfirmed_payment_does_not_open_the_second_window() -> None:
    assert earliest(OCTOLIS, [paid(0.0, 25, 0, 0, proven=math.inf)], 1, 0.5) == (pytest.approx(1.05), (0, 0))


def test_an_unconfirmed_payment_does_not_matter_if_confirmed_ones_fill_the_window() -> None:
    past = [paid(0.0, 24, 0, 0), paid(0.1, 1, 0, 0, proven=math.inf)]
    assert earliest(OCTOLIS, past, 10, 0.2) == (0.2, (1, 0))


def test_waits_for_a_payment_that_is_about_to_be_sent() -> None:
    assert earliest(OCTOLIS, [paid(0.0, 25, 0, 0, proven=0.51)], 1, 0.5) == (0.51, (1, 0))


def test_requests_whose_order_matters_keep_a_distance() -> None:
    """10 points use up the second. If a request of one point arrived first, they would count in the minute."""
    past = [paid(0.0, 10, 0, 0), paid(0.0, 5, 0, 0), paid(0.2, 10, 0, 0)]
    assert earliest(OCTOLIS, past, 1, 0.2) == (pytest.approx(0.25), (1, 0))


def test_later_requests_do_not_overtake_earlier_ones() -> None:
    assert earliest(OCTOLIS, [paid(30.0, 10, 0, 0)], 1, 10.0) == (30.0, (0, 0))


def test_fractions_of_points_fill_a_window_exactly() -> None:
    rule = Rule(buckets=((Window(1, 10),),))
    assert earliest(rule, [paid(0.0, 0.1, 0)] * 9, 0.1, 1.0) == (1.0, (0,))


Request = tuple[float, float, float, bool]
request_lists = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.0, 0.0, 0.001, 0.02, 0.04, 0.3, 0.97, 1.1]),  # seconds after the one before
        st.sampled_from([1.0, 1.0, 4.0, 10.0, 25.0]),
        st.floats(0, 0.98),  # how much of the slack the way to the vendor takes
        st.booleans() | st.just(True) | st.just(True),  # does it arrive at all (or was its sender killed)
    ),
    min_size=10,
    max_size=70,
)


@given(requests=request_lists, rule=st.sampled_from([SMALL, OCTOLIS]))
@settings(max_examples=150, deadline=None)
def test_the_vendor_never_rejects_a_request(rule: Rule, requests: list[Request]) -> None:
    past: list[Spent] = []
    arrivals = []
    now = 0.0
    for gap, cost, delay, arrives in requests:
        now, windows = earliest(rule, past, cost, now + gap)
        past.append(paid(now, cost, *windows, proven=-math.inf if arrives else math.inf))
        if arrives:
            arrivals.append((now + delay * rule.slack, cost))
    assert rejected(rule, arrivals) == []


def test_the_server_of_these_tests_rejects_requests_above_the_limit() -> None:
    assert rejected(SMALL, [(0.0, 25.0), (0.0, 25.0), (0.5, 10.0)]) == [(0.5, 10.0)]
