"""The rate limit in a vendor's response headers, which is kept in addition to the configured one.

Here: reading `RateLimit` and `RateLimit-*` (the IETF draft in its several versions) and `X-RateLimit-*`.
Add here when: many vendors use another spelling. Keep out: `Retry-After` (retry.py), waiting (rate_limit/).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from orgdata_dagster.http.rate_limit_interface import RateLimitLike

_EPOCH = 1_000_000_000  # a larger number of seconds is a date
_MEMBER = re.compile(r"(\w+)\s*=\s*\"?([\d.]+)")


@dataclass(frozen=True)
class LimitHeaders:
    """Which headers are read.

    least: number of requests that must remain; None if `RateLimit` headers are not read.
    charged: header with the points that a request actually cost; "" for none.
    """

    least: float | None = 1
    charged: str = ""

    def heed(self, headers: Mapping[str, str], rate_limit: RateLimitLike, cost: float, now: float) -> None:
        """Pause all processes before the vendor refuses a request, and charge what a request cost beyond `cost`."""
        if self.charged and (points := _number(headers.get(self.charged))) is not None:
            rate_limit.charge(points - cost)
        if self.least is not None and (wait := wait_announced(headers, now, least=self.least)):
            rate_limit.pause(wait)


def wait_announced(headers: Mapping[str, str], now: float, *, least: float = 1) -> float | None:
    """The seconds until the limit is reset if fewer than `least` requests remain; None if enough remain or unknown.

    now: the wall clock, in Unix seconds.
    """
    waits = [
        reset
        for remaining, reset in _remaining_and_reset(headers, now)
        if remaining is not None and remaining < least and reset is not None
    ]
    return max(waits, default=None)


def reset_announced(headers: Mapping[str, str], now: float) -> float | None:
    """The seconds until the limit is reset, for a refusal without `Retry-After`; None if unknown."""
    return max((reset for _, reset in _remaining_and_reset(headers, now) if reset is not None), default=None)


def _remaining_and_reset(headers: Mapping[str, str], now: float) -> list[tuple[float | None, float | None]]:
    """Per header: the remaining requests, and the seconds until the limit is reset; None for what it does not state."""
    found = []
    for prefix in ("ratelimit", "x-ratelimit", "x-rate-limit"):
        remaining, reset = _number(headers.get(f"{prefix}-remaining")), _number(headers.get(f"{prefix}-reset"))
        found.append((remaining, _seconds(reset, now)))
    for policy in headers.get("ratelimit", "").split(","):
        members = _members(policy)
        found.append((members.get("r"), _seconds(members.get("t"), now)))
    combined = _members(headers.get("ratelimit", ""))
    found.append((combined.get("remaining"), _seconds(combined.get("reset"), now)))
    return found


def _members(text: str) -> dict[str, float | None]:
    """The members of a structured header, `limit=100, remaining=5`; None for a value that is not a number."""
    return {name.lower(): _number(value) for name, value in _MEMBER.findall(text)}


def _number(text: str | None) -> float | None:
    try:
        value = float((text or "").split(",")[0].split(";")[0])
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def _seconds(reset: float | None, now: float) -> float | None:
    """The delay in seconds. `reset` is a delay, or an instant in Unix seconds or milliseconds."""
    if reset is None or reset < _EPOCH:
        return reset
    return max(0.0, (reset / 1000 if reset >= 1000 * _EPOCH else reset) - now)
