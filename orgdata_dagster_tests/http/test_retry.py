"""How long to wait before a retry, and when to give up. The loop itself is tested through the client."""

import random
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orgdata_dagster.http.errors import PermanentError, RetriesExhausted, TransientError
from orgdata_dagster.http.retry import Attempts, RetryPolicy, http_date, retry_after
from orgdata_dagster_tests.http.fakes import FakeClock

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC).timestamp()
NOON, SOON = "Sun, 01 Mar 2026 12:00:00 GMT", "Sun, 01 Mar 2026 12:00:07 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": " 30 "}, 30.0),
        ({"retry-after": "-5"}, 0.0),
        ({"retry-after": SOON}, 7.0),
        ({"retry-after": "Sunday, 01-Mar-26 12:00:07 GMT"}, 7.0),
        ({"retry-after": "Sun Mar  1 12:00:07 2026"}, 7.0),
        ({"retry-after": SOON, "date": "Sun, 01 Mar 2026 12:00:02 GMT"}, 5.0),  # the vendor's clock counts
        ({"retry-after": NOON, "date": SOON}, 0.0),
        ({"retry-after": SOON, "date": "nonsense"}, 7.0),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, NOW) == seconds


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_header_is_handled(after: str, date: str) -> None:
    seconds = retry_after({"retry-after": after, "date": date}, NOW)
    assert seconds is None or seconds >= 0
    http_date(date)


def test_backoff_doubles_with_full_jitter_up_to_the_longest() -> None:
    policy, jitter = RetryPolicy(first_wait=1, longest_wait=10), random.Random(7).uniform
    for failures, ceiling in [(1, 1), (2, 2), (3, 4), (4, 8), (5, 10), (60, 10)]:
        waits = [policy.backoff(failures, jitter) for _ in range(300)]
        assert 0 <= min(waits) < 0.1 * ceiling
        assert 0.9 * ceiling < max(waits) <= ceiling


def test_backoff_grows_from_the_shortest_wait() -> None:
    """One request per minute combined with exponential backoff."""
    policy, jitter = RetryPolicy(shortest_wait=60, longest_wait=600), random.Random(7).uniform
    for failures, least, most in [(1, 60, 61), (2, 120, 122), (3, 240, 244), (5, 600, 600)]:
        waits = [policy.backoff(failures, jitter) for _ in range(100)]
        assert least <= min(waits) <= max(waits) <= most


def test_retry_after_does_not_shorten_a_wait_below_the_backoff() -> None:
    """A vendor that asks for one second each time must not keep the waits from growing."""
    clock = FakeClock()
    attempts = Attempts(RetryPolicy(attempts=4, shortest_wait=60, longest_wait=600), clock)
    with pytest.raises(RetriesExhausted):
        attempts.run(Failing(TransientError("429"), seconds=1))
    assert clock.slept == [60, 120, 240]


def test_an_invalid_policy_is_refused() -> None:
    for nonsense in ({"attempts": 0}, {"shortest_wait": 61}, {"extra_statuses": frozenset({423, 401})}):
        with pytest.raises(ValueError, match="RetryPolicy"):
            RetryPolicy(**nonsense)  # type: ignore[arg-type]


class Failing:
    """An attempt that raises these errors in turn, the last one for ever; None succeeds."""

    def __init__(self, *errors: Exception | None, seconds: float | None = None) -> None:
        self.errors, self.seconds, self.calls = list(errors), seconds, 0

    def __call__(self) -> str:
        self.calls += 1
        error = self.errors.pop(0) if len(self.errors) > 1 else self.errors[0]
        if isinstance(error, TransientError):
            error.retry_after = self.seconds
        if error is not None:
            raise error
        return "done"


def test_gives_up_after_the_attempts_and_lists_them() -> None:
    clock = FakeClock()
    attempt = Failing(TransientError("busy", vendor="v", endpoint="/e", status=503))
    with pytest.raises(RetriesExhausted) as caught:
        Attempts(RetryPolicy(attempts=4), clock).run(attempt)
    assert (attempt.calls, len(clock.slept), caught.value.attempts) == (4, 3, 4)
    assert caught.value.seconds == pytest.approx(sum(clock.slept))
    assert (caught.value.status, caught.value.reasons) == (503, ("HTTP 503 busy",) * 4)
    assert str(caught.value).startswith("v /e: gave up after 4 attempts in ")
    assert "failed with: HTTP 503 busy. Try again later" in str(caught.value)


def test_gives_up_at_once_if_the_next_wait_is_longer_than_the_time_left() -> None:
    clock = FakeClock()
    attempt = Failing(TransientError("busy", status=503))
    with pytest.raises(RetriesExhausted, match=r"gave up after 1 attempt .* needs a wait of 100 s, and only 50 s"):
        Attempts(RetryPolicy(total_seconds=50, shortest_wait=100, longest_wait=100), clock).run(attempt)
    assert (attempt.calls, clock.slept) == (1, [])


def test_a_retry_after_of_zero_still_waits() -> None:
    clock = FakeClock()
    with pytest.raises(RetriesExhausted):
        Attempts(RetryPolicy(attempts=6), clock).run(Failing(TransientError("busy"), seconds=0))
    assert sum(clock.slept) > 0


def test_many_attempts_do_not_overflow() -> None:
    assert RetryPolicy(shortest_wait=60, longest_wait=1920).least(5000) == 1920


def test_waiting_for_the_rate_limit_does_not_use_up_the_time() -> None:
    clock = FakeClock()
    attempts = Attempts(RetryPolicy(total_seconds=100), clock)
    fail_once = Failing(TransientError("busy"), None, seconds=50)

    def attempt() -> str:
        clock.sleep(80)
        attempts.waited += 80
        return fail_once()

    assert attempts.run(attempt) == "done"
    assert fail_once.calls == 2


@pytest.mark.parametrize("error", [PermanentError("no"), KeyError("a bug"), RetriesExhausted("gave up")])
def test_other_errors_are_not_retried(error: Exception) -> None:
    attempt = Failing(error)
    with pytest.raises(type(error)) as caught:
        Attempts(RetryPolicy(), FakeClock()).run(attempt)
    assert caught.value is error
    assert attempt.calls == 1
