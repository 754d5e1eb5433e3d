"""A vendor that asks for a pause: how long everybody waits for it, and what is said where it asks for too much.

What lives here: `Pauses`, which turns a refusal that may pass into a wait of all processes, or into an error.
Add here when: a vendor has another way of asking us to slow down.
Keep out: reading `Retry-After` and the rhythm of attempts (`retry`), remembering a pause (`rate_limit`).
"""

from __future__ import annotations

from datetime import UTC, datetime

from orgdata_dagster.http.clock import Clock
from orgdata_dagster.http.errors import TooLongAPause, TransientError
from orgdata_dagster.http.payment import RateLimitLike, VendorPaused
from orgdata_dagster.http.retry import RetryPolicy
from orgdata_dagster.http.waiting import span


class Pauses:
    """The pauses of one vendor."""

    def __init__(self, vendor: str, policy: RetryPolicy, rate_limit: RateLimitLike, clock: Clock) -> None:
        self._vendor = vendor
        self._policy = policy
        self._rate_limit = rate_limit
        self._clock = clock

    def after(self, error: TransientError, status: int, asked: float | None) -> TransientError:
        """The error with the wait that the vendor asks for, in which others must not ask either where it told us so."""
        longest, shared = self._policy.longest_pause, self._policy.shared_backoff
        too_long = asked is not None and asked > longest
        error.retry_after = asked
        pause = min(asked or 0.0, longest) if status == 429 or shared else 0.0
        if shared:
            pause = max(pause, self._policy.least(self._rate_limit.failed()))
        if pause:
            error.is_waited_for = self._rate_limit.pause(pause, asked if too_long else None)
        if asked is not None and too_long:
            told = f"{error.reason}: the vendor asks for a wait of {span(asked)}"
            return self._too_long(told, pause if error.is_waited_for else 0.0)
        return error

    def refused(self, pause: VendorPaused) -> TooLongAPause:
        """The error of a request that was not sent, because a pause that is too long is not over."""
        told = f"no request was sent: the vendor asked for a pause, which is not over for {span(pause.asked)}"
        return self._too_long(told, pause.seconds)

    def _too_long(self, told: str, paused: float) -> TooLongAPause:
        until = datetime.fromtimestamp(self._clock.wall() + paused, UTC)
        remedy = (
            f"Run it again later. No request goes to {self._vendor} until {until:%Y-%m-%d %H:%M:%S} UTC; "
            f"`orgdata doctor --clear {self._vendor}` lifts that pause."
        )
        return TooLongAPause(
            f"{told}, longer than the {span(self._policy.longest_pause)} of retries.longest_pause in defs.yaml",
            vendor=self._vendor,
            remedy=remedy if paused else None,
        )
