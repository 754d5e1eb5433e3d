"""Vendors to which no request is sent, because they asked for a pause or because their circuit breaker is open.

Here: `VendorPause`, with the texts that `status` and `doctor` share. Keep out: pausing (http/pauses.py); anything that
imports Dagster.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from orgdata_dagster.http.circuit_breaker import AT, CircuitBreaker, Notice
from orgdata_dagster.http.rate_limit import Pause
from orgdata_dagster.http.waiting import span


@dataclass(frozen=True)
class VendorPause:
    """A vendor to which no request is sent.

    since: when the vendor refused the credentials; None for a pause.
    until: when the pause ends; None if somebody has to run a command to allow requests again.
    text: the state and its reason, for users.
    remedy: what to do about it, for users.
    """

    vendor: str
    since: datetime | None
    until: datetime | None
    text: str
    remedy: str


def stopped(notice: Notice, breaker: CircuitBreaker) -> VendorPause:
    """A vendor whose circuit breaker is open."""
    try:
        since = datetime.strptime(notice.at, AT).replace(tzinfo=UTC)
    except ValueError:  # the notice cannot be read
        since = None
    return VendorPause(breaker.vendor, since, None, f"no request is sent: {notice}", breaker.remedy)


def of_pause(vendor: str, pause: Pause, now: datetime) -> VendorPause:
    """A vendor that asked for a pause."""
    until = now + timedelta(seconds=pause.seconds)
    return VendorPause(vendor, None, until, pause_in_words(pause, now), lift(vendor))


def pause_in_words(pause: Pause, now: datetime) -> str:
    """The text for users: until when no request is sent, and how long a pause the vendor asked for."""
    until = now + timedelta(seconds=pause.seconds)
    text = f"no request is sent until {until:%Y-%m-%d %H:%M:%S} UTC ({span(pause.seconds)}), as the vendor asked"
    return f"{text}; it asked for {span(pause.requested)}" if pause.requested is not None else text


def lift(vendor: str) -> str:
    """The text for users that explains how to end a pause."""
    return f"Wait, or run `orgdata doctor --clear {vendor}`: the next pull then sends requests."
