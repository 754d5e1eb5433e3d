"""Pauses that a vendor asks for: how long all processes wait, and the error if the pause is too long.

Here: `Pauses`, which turns a transient refusal into a wait of all processes, or into an error.
Add here when: a vendor has another way of asking us to slow down.
Keep out: reading `Retry-After` and the timing of attempts (retry.py), storing a pause (rate_limit/).
"""

from __future__ import annotations

from datetime import UTC, datetime

from orgdata_dagster.http.clock import Clock
from orgdata_dagster.http.errors import TooLongAPause, TransientError
from orgdata_dagster.http.rate_limit_interface import RateLimitLike, VendorPaused
from orgdata_dagster.http.retry import RetryPolicy
from orgdata_dagster.http.waiting import span


class Pauses:
    """The pauses of one vendor."""

    def __init__(self, vendor: str, policy: RetryPolicy, rate_limit: RateLimitLike, clock: Clock) -> None:
        self._vendor = vendor
        self._policy = policy
        self._rate_limit = rate_limit
        self._clock = clock

    def after(self, error: TransientError, status: int, requested: float | None) -> TransientError:
        """Pause all processes if the vendor asks for it (`requested`: seconds or None); returns the error to raise."""
        longest, shared = self._policy.longest_pause, self._policy.shared_backoff
        too_long = requested is not None and requested > longest
        error.retry_after = requested
        pause = min(requested or 0.0, longest) if status == 429 or shared else 0.0
        if shared:
            pause = max(pause, self._policy.least(self._rate_limit.failed()))
        if pause:
            error.is_waited_for = self._rate_limit.pause(pause, requested if too_long else None)
        if requested is not None and too_long:
            what = f"{error.reason}: the vendor asks for a pause of {span(requested)}"
            return self._too_long(what, pause if error.is_waited_for else 0.0)
        return error

    def refused(self, pause: VendorPaused) -> TooLongAPause:
        """The error of a request that was not sent because of a pause that is too long."""
        what = f"no request was sent: the vendor asked for a pause, of which {span(pause.requested)} are left"
        return self._too_long(what, pause.seconds)

    def _too_long(self, what: str, paused: float) -> TooLongAPause:
        until = datetime.fromtimestamp(self._clock.wall() + paused, UTC)
        remedy = (
            f"Try again later. No request is sent to {self._vendor} until {until:%Y-%m-%d %H:%M:%S} UTC; "
            f"`orgdata doctor --clear {self._vendor}` lifts the pause."
        )
        return TooLongAPause(
            f"{what}, longer than the {span(self._policy.longest_pause)} of retries.longest_pause in defs.yaml",
            vendor=self._vendor,
            remedy=remedy if paused else None,
        )
