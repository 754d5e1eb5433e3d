"""How much of the rate limits is used, in the current window and per day, and which vendors are paused.

Here: `rate_limits`, `used_today`, `paused`, `use_of_days`. Keep out: the limits (http/rate_limit/), showing them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from orgdata_dagster.http.circuit_breaker import CircuitBreaker
from orgdata_dagster.orchestration import opening
from orgdata_dagster.orchestration.shared_state import shared_state
from orgdata_dagster.overview.outline import Outline, VendorOutline
from orgdata_dagster.overview.pauses import VendorPause, of_pause, stopped
from orgdata_dagster.warehouse.ledger.history import VendorDay, asked_since, use_by_day

DAYS = 14  # number of days in the overview


def rate_limits(outline: Outline) -> list[dict[str, Any]]:
    """One dict per vendor and window of its rate limit.

    Keys: `vendor`; `points`, allowed per window; `seconds`, the length of the window; `spent`, points used in the
    current window.
    """
    result: list[dict[str, Any]] = []
    for vendor in outline.vendors:
        if vendor.rule.buckets:
            for used in vendor.rate_limit().usage():
                result.append(
                    {
                        "vendor": vendor.name,
                        "points": used.window.points,
                        "seconds": used.window.seconds,
                        "spent": round(used.spent, 1),
                    }
                )
    return result


def used_today(windows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The entries of `rate_limits` whose vendor has received a request today (UTC)."""
    used = {each["vendor"] for each in windows if each["spent"]}
    warehouse = opening.warehouse()
    if warehouse.exists:
        with warehouse.reading() as connection:
            used |= asked_since(connection, _midnight(datetime.now(UTC)))
    return [each for each in windows if each["vendor"] in used]


def paused(outline: Outline) -> list[VendorPause]:
    """The vendors to which no request is sent now, sorted by name."""
    return [pause for vendor in sorted(outline.vendors, key=lambda one: one.name) if (pause := _paused(vendor))]


def _paused(vendor: VendorOutline) -> VendorPause | None:
    breaker = CircuitBreaker(vendor.name, shared_state())
    if notice := breaker.read():
        return stopped(notice, breaker)
    pause = vendor.rate_limit().paused()
    return of_pause(vendor.name, pause, datetime.now(UTC)) if pause else None


def use_of_days(now: datetime) -> list[VendorDay]:
    """The requests per vendor and day of the last `DAYS` days."""
    warehouse = opening.warehouse()
    if not warehouse.exists:
        return []
    since = _midnight(now) - timedelta(days=DAYS - 1)
    with warehouse.reading() as connection:
        return use_by_day(connection, since)


def _midnight(now: datetime) -> datetime:
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
