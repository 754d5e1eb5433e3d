"""When to try again, how long to wait, and when to give up.

What lives here: the policy a vendor sets, reading `Retry-After`, and the loop (tenacity's) that runs one
fetch.
Add here when: the rhythm of attempts changes.
Keep out: what is retryable (`errors.classify`); paying for an attempt (`rate_limit`, through the client).
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
    """How hard one fetch tries; all times in seconds.

    The wait doubles from `first_wait` with full jitter, up to `longest_wait`. A vendor that names a least
    distance between requests sets `shortest_wait`: then the doubling starts there, and jitter comes on top.
    `total_seconds` bounds attempts and waits together; waiting for the rate limit is nobody's failure and
    does not count. A vendor may ask for a wait of up to `longest_pause` (`Retry-After`); a longer one ends the
    fetch. `shared_backoff`: the waits hold for every process, and grow with the failures that any of them met.
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
            raise ValueError(f"a RetryPolicy may not retry {forbidden}: the vendor means no")

    def backoff(self, failures: int, jitter: Callable[[float, float], float] = random.uniform) -> float:
        """The wait after this many failures, where the vendor does not say how long."""
        floor = self.least(failures)
        return floor + jitter(0, min(self.first_wait * _doubled(failures), self.longest_wait - floor))

    def least(self, failures: int) -> float:
        """The wait after this many failures that nothing may shorten, not even the vendor's own word."""
        return min(self.shortest_wait * _doubled(failures), self.longest_wait)


def _doubled(failures: int) -> float:
    return 2.0 ** min(failures - 1, 64)  # bounded: attempts are not


def http_date(text: str | None) -> datetime | None:
    """The instant of an HTTP date (RFC 9110, 5.6.7), in UTC; None where there is none to read."""
    try:
        parsed = parsedate_to_datetime(text or "")
        return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def retry_after(headers: Mapping[str, str], now_wall: float) -> float | None:
    """The seconds the vendor asks to wait (RFC 9110, 10.2.3), never negative; None where it does not say.

    A date is measured against the answer's own Date header, since the two clocks differ; without one against
    `now_wall`, in unix seconds.
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
    """What to do after the last failure, where the class does not say it."""
    if isinstance(last, Unreachable):
        return last.remedy
    return None if last.request_ids else "Run it again later; if it stays so, ask the vendor."


class Attempts:
    """The attempts of one fetch: run until one succeeds, one fails for good, or the policy is used up."""

    def __init__(self, policy: RetryPolicy, clock: Clock) -> None:
        self._policy = policy
        self._clock = clock
        self._started = clock.monotonic()
        self._failures: list[TransientError] = []
        self.waited = 0.0  # for the rate limit, in seconds; the client adds to it

    @property
    def number(self) -> int:
        """The number of the attempt under way, from 1."""
        return len(self._failures) + 1

    def run(self, attempt: Callable[[], _T]) -> _T:
        """The first result. Raises RetriesExhausted, or whatever an attempt raises that is not transient."""
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
        if error.retry_after:  # not 0: at once, again and again, is no way to try
            return max(error.retry_after, self._policy.least(failures))
        return self._policy.backoff(failures)

    def _spent(self) -> float:
        return self._clock.monotonic() - self._started - self.waited

    def _is_over(self, state: tenacity.RetryCallState) -> bool:
        # A wait that ends beyond the limit is not begun: whoever waits for us should hear now. What the vendor asks for
        # has a bound of its own.
        wait = 0.0 if self._failures[-1].retry_after else state.upcoming_sleep
        too_late = self._spent() + wait > self._policy.total_seconds
        return too_late or len(self._failures) >= self._policy.attempts

    def _announce(self, state: tenacity.RetryCallState) -> None:
        error = self._failures[-1]
        when = "after the pause" if error.is_waited_for else f"in {state.upcoming_sleep:.1f} s"
        told = (error.vendor, error.endpoint, error.reason, self.number, self._policy.attempts, when)
        _log.warning("%s %s: %s; attempt %d of %d follows %s", *told)
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
