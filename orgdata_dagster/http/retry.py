"""Retries: when to repeat a request, how long to wait, and when to give up.

Here: the retry policy, reading `Retry-After`, and tenacity's loop that runs the attempts of one fetch.
Add here when: the timing of attempts changes.
Keep out: which errors are retryable (errors.py); the rate limit (rate_limit/, through the client).
"""

import logging
import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NoReturn, TypeVar

import tenacity

from orgdata_dagster.http.clock import Clock
from orgdata_dagster.http.errors import NEVER_RETRIED, RetriesExhausted, TransientError, Unreachable
from orgdata_dagster.http.waiting import announce

_log = logging.getLogger("orgdata.http")
_REASONS_KEPT = 3
_T = TypeVar("_T")


@dataclass(frozen=True)
class RetryPolicy:
    """The retries of one fetch; all times in seconds.

    attempts: number of attempts, the first one included.
    total_seconds: limit for attempts and waits together; waits for the rate limit do not count.
    first_wait: longest wait before the second attempt; it doubles with full jitter, up to `longest_wait`.
    shortest_wait: if above 0, the doubling starts there, and the jitter is added to it.
    longest_pause: longest pause that the vendor may ask for (`Retry-After`); a longer one ends the fetch.
    shared_backoff: whether the waits apply to all processes, and grow with the failures in all of them.
    extra_statuses: further retryable statuses.
    """

    attempts: int = 6
    total_seconds: float = 900
    first_wait: float = 1
    longest_wait: float = 60
    shortest_wait: float = 0
    longest_pause: float = 900
    shared_backoff: bool = False
    extra_statuses: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.longest_wait < self.shortest_wait:
            raise ValueError("a RetryPolicy needs attempts >= 1 and longest_wait >= shortest_wait")
        if forbidden := sorted(self.extra_statuses & NEVER_RETRIED):
            raise ValueError(f"a RetryPolicy must not retry {forbidden}: these refusals are final")

    def backoff(self, failures: int, jitter: Callable[[float, float], float] = random.uniform) -> float:
        """The wait in seconds after this many failures, if the vendor does not ask for one."""
        floor = self.least(failures)
        return floor + jitter(0, min(self.first_wait * _doubled(failures), self.longest_wait - floor))

    def least(self, failures: int) -> float:
        """The shortest wait in seconds after this many failures, even if the vendor asks for less."""
        return min(self.shortest_wait * _doubled(failures), self.longest_wait)


def _doubled(failures: int) -> float:
    return 2.0 ** min(failures - 1, 64)  # limited, because `attempts` is not


def http_date(text: str | None) -> datetime | None:
    """The instant of an HTTP date (RFC 9110, 5.6.7), in UTC; None if the text is not one."""
    try:
        parsed = parsedate_to_datetime(text or "")
        return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def retry_after(headers: Mapping[str, str], now_wall: float) -> float | None:
    """The seconds that the vendor asks to wait (RFC 9110, 10.2.3), never negative; None if it does not say.

    A date is compared with the answer's Date header, because our clock may differ; without one with `now_wall`, in Unix
    seconds.
    """
    text = headers.get("retry-after", "").strip()
    until = http_date(text)
    try:
        seconds = until.timestamp() - _server_now(headers, now_wall) if until else float(text)
    except ValueError:
        return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _server_now(headers: Mapping[str, str], now_wall: float) -> float:
    date = http_date(headers.get("date"))
    return date.timestamp() if date else now_wall


def _remedy(last: TransientError) -> str | None:
    """The remedy after the last failure; None for the default remedy of RetriesExhausted."""
    if isinstance(last, Unreachable):
        return last.remedy
    return None if last.request_ids else "Try again later. If the error stays, ask the vendor."


class Attempts:
    """The attempts of one fetch: until one succeeds, one fails permanently, or the policy ends them."""

    def __init__(self, policy: RetryPolicy, clock: Clock) -> None:
        self._policy = policy
        self._clock = clock
        self._started = clock.monotonic()
        self._failures: list[TransientError] = []
        self.waited = 0.0  # for the rate limit, in seconds; the client adds to it

    @property
    def number(self) -> int:
        """The number of the current attempt, from 1."""
        return len(self._failures) + 1

    def run(self, attempt: Callable[[], _T]) -> _T:
        """Run attempts; returns the first result. Raises RetriesExhausted, or the first error that is not transient."""
        loop = tenacity.Retrying(
            retry=tenacity.retry_if_exception(self._may_pass),
            wait=self._wait,
            stop=self._is_over,
            sleep=self._clock.sleep,
            before_sleep=self._announce,
            retry_error_callback=self._give_up,
        )
        return loop(attempt)

    def _may_pass(self, error: BaseException) -> bool:
        if not isinstance(error, TransientError) or isinstance(error, RetriesExhausted):
            return False
        self._failures.append(error)
        return True

    def _wait(self, _state: tenacity.RetryCallState) -> float:
        error, failures = self._failures[-1], len(self._failures)
        if error.is_waited_for:
            return 0.0
        if error.retry_after:  # 0 is ignored, because repeating at once does not help
            return max(error.retry_after, self._policy.least(failures))
        return self._policy.backoff(failures)

    def _spent(self) -> float:
        return self._clock.monotonic() - self._started - self.waited

    def _is_over(self, state: tenacity.RetryCallState) -> bool:
        # A wait that would end after the limit is not started. A pause that the vendor
        # asks for has its own limit.
        wait = 0.0 if self._failures[-1].retry_after else state.upcoming_sleep
        too_late = self._spent() + wait > self._policy.total_seconds
        return too_late or len(self._failures) >= self._policy.attempts

    def _announce(self, state: tenacity.RetryCallState) -> None:
        error = self._failures[-1]
        when = "after the pause" if error.is_waited_for else f"in {state.upcoming_sleep:.1f} s"
        details = (error.vendor, error.endpoint, error.reason, self.number, self._policy.attempts, when)
        _log.warning("%s %s: %s; attempt %d of %d follows %s", *details)
        reason = f"attempt {self.number} of {self._policy.attempts} after {error.reason}"
        announce(error.vendor, reason, state.upcoming_sleep, self._clock)

    def _give_up(self, state: tenacity.RetryCallState) -> NoReturn:
        last, tries, spent = self._failures[-1], len(self._failures), self._spent()
        why = f"gave up after {tries} attempt{'s' if tries > 1 else ''} in {spent:.0f} s"
        if tries < self._policy.attempts:
            left = max(0.0, self._policy.total_seconds - spent)
            why += f": the next attempt needs a wait of {state.upcoming_sleep:.0f} s, and only {left:.0f} s are left"
        reasons = tuple(failure.reason for failure in self._failures)
        error = RetriesExhausted(
            f"{why}; failed with: {'; '.join(dict.fromkeys(reasons[-_REASONS_KEPT:]))}",
            vendor=last.vendor,
            endpoint=last.endpoint,
            code=last.code,
            request_ids=last.request_ids,
            remedy=_remedy(last),
        )
        error.attempts, error.seconds, error.reasons = tries, spent, reasons
        error.retry_after, error.status = last.retry_after, last.status
        raise error
