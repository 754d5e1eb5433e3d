"""When to try again, how long to wait, and when to give up.

What lives here: the policy a vendor sets, reading `Retry-After`, and the loop (tenacity's) that runs one
fetch.
Add here when: the rhythm of attempts changes.
Keep out: what is retryable (`errors.classify`); paying for an attempt (`budget`, through the client).
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
from orgdata_dagster.http.errors import NEVER_RETRIED, RetriesExhausted, TransientError

_log = logging.getLogger("orgdata.http")
_REASONS_KEPT = 3
_T = TypeVar("_T")


@dataclass(frozen=True)
class RetryPolicy:
    """How hard one fetch tries; all times in seconds.

    The wait doubles from `first_wait` with full jitter, up to `longest_wait`. A vendor that names a least
    distance between requests sets `shortest_wait`: then the doubling starts there, and jitter comes on top.
    `total_seconds` bounds attempts and waits together; waiting for the rate budget is nobody's failure and
    does not count.
    """

    attempts: int = 6
    total_seconds: float = 900
    first_wait: float = 1
    longest_wait: float = 60
    shortest_wait: float = 0
    extra_statuses: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.longest_wait < self.shortest_wait:
            raise ValueError("a RetryPolicy needs attempts >= 1 and longest_wait >= shortest_wait")
        if forbidden := sorted(self.extra_statuses & NEVER_RETRIED):
            raise ValueError(f"a RetryPolicy may not retry {forbidden}: the vendor means no")

    def backoff(self, failures: int, jitter: Callable[[float, float], float] = random.uniform) -> float:
        """The wait after this many failures, where the vendor does not say how long."""
        floor = self.least(failures)
        return floor + jitter(0, min(self.first_wait * 2.0 ** (failures - 1), self.longest_wait - floor))

    def least(self, failures: int) -> float:
        """The wait after this many failures that nothing may shorten, not even the vendor's own word."""
        return min(self.shortest_wait * 2.0 ** (failures - 1), self.longest_wait)


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


class Attempts:
    """The attempts of one fetch: run until one succeeds, one fails for good, or the policy is used up."""

    def __init__(self, policy: RetryPolicy, clock: Clock) -> None:
        self._policy = policy
        self._clock = clock
        self._started = clock.monotonic()
        self._failures: list[TransientError] = []
        self.waited = 0.0  # for the rate budget, in seconds; the client adds to it

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
        asked = self._failures[-1].retry_after
        if asked is not None:
            return max(asked, self._policy.least(len(self._failures)))
        return self._policy.backoff(len(self._failures))

    def _spent(self) -> float:
        return self._clock.monotonic() - self._started - self.waited

    def _is_over(self, state: tenacity.RetryCallState) -> bool:
        # A wait that ends beyond the limit is not begun: whoever waits for us should hear now.
        too_late = self._spent() + state.upcoming_sleep > self._policy.total_seconds
        return too_late or len(self._failures) >= self._policy.attempts

    def _announce(self, state: tenacity.RetryCallState) -> None:
        error = self._failures[-1]
        _log.warning(
            "%s %s: %s; attempt %d of %d follows in %.1f s",
            error.vendor,
            error.endpoint,
            error.reason,
            self.number,
            self._policy.attempts,
            state.upcoming_sleep,
        )

    def _give_up(self, state: tenacity.RetryCallState) -> NoReturn:
        last, tries, spent = self._failures[-1], len(self._failures), self._spent()
        why = f"gave up after {tries} attempt{'s' if tries > 1 else ''} in {spent:.0f} s"
        if tries < self._policy.attempts:
            who = "the vendor asks for" if last.retry_after is not None else "the next attempt needs"
            left = max(0.0, self._policy.total_seconds - spent)
            why += f": {who} a wait of {state.upcoming_sleep:.0f} s, and only {left:.0f} s are left"
        reasons = tuple(failure.reason for failure in self._failures)
        error = RetriesExhausted(
            f"{why}; failed with: {'; '.join(dict.fromkeys(reasons[-_REASONS_KEPT:]))}",
            vendor=last.vendor,
            endpoint=last.endpoint,
            code=last.code,
            request_ids=last.request_ids,
        )
        error.attempts, error.seconds, error.reasons = tries, spent, reasons
        error.retry_after, error.status = last.retry_after, last.status
        raise error
