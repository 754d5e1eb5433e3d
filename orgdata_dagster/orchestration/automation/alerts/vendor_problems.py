"""Problems of vendors: paused ones, open circuit breakers, and tokens that expire soon.

Here: one function per kind. Keep out: pausing and circuit breakers (http/), a token's expiry (the vendors' resources).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from orgdata_dagster.http.circuit_breaker import CircuitBreaker
from orgdata_dagster.http.redaction import excerpt
from orgdata_dagster.orchestration.automation.alerts.problems import Found, Problem
from orgdata_dagster.orchestration.automation.alerts.run_problems import LONGEST
from orgdata_dagster.orchestration.resources import VendorResource
from orgdata_dagster.orchestration.shared_state import shared_state

_SHORT = 60.0  # seconds: a pause that is over before somebody has read of it


def paused(vendors: Iterable[VendorResource], now: datetime, found: Found) -> None:
    """Add the vendors to which no request is sent, because they asked for a pause or refused the credentials."""
    for resource in vendors:
        breaker, vendor = CircuitBreaker(resource.vendor, shared_state()), resource.vendor
        pause = resource.rate_limit().paused()
        lift = f"orgdata doctor --clear {vendor}"
        if notice := breaker.read():
            found.add(Problem("pause", vendor, vendor, excerpt(f"paused: {notice}. {breaker.remedy}", LONGEST)))
        elif pause is not None and pause.seconds > _SHORT:
            until = now + timedelta(seconds=pause.seconds)
            text = f"paused until {until:%Y-%m-%d %H:%M:%S} UTC, as the vendor asked; {lift} lifts the pause"
            found.add(Problem("pause", vendor, vendor, text))
        elif pause is not None:
            found.undecided.add(Problem("pause", vendor, vendor, "").key)


def expiring(vendors: Iterable[VendorResource], found: Found) -> None:
    """Add the vendors whose token has expired or expires soon."""
    for resource in vendors:
        if notices := resource.notices():
            found.add(Problem("token", resource.vendor, resource.vendor, excerpt("; ".join(notices), LONGEST)))
