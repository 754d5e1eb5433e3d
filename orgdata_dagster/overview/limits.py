"""The use of the rate limits: of the current window, of the day, and pauses.

Here: `rate_limits`, `paused`, `use_of_days`. Keep out: limits themselves (http/rate_limit/), showing them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from orgdata_dagster.orchestration import opening
from orgdata_dagster.overview.outline import Outline
from orgdata_dagster.overview.pauses import pause_in_words
from orgdata_dagster.warehouse.ledger.history import VendorDay, use_by_day

DAYS = 14  # that the overview looks back


def rate_limits(outline: Outline) -> list[dict[str, Any]]:
    """Per vendor and window of its rate limit: `points` allowed in `seconds`, and `spent` in the current window."""
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


@dataclass(frozen=True)
class VendorPause:
    """A vendor that gets no request until an instant. `told`: that in words."""

    vendor: str
    until: datetime
    told: str


def paused(outline: Outline) -> list[VendorPause]:
    """The vendors that are paused now."""
    found = {vendor.name: vendor.rate_limit().paused() for vendor in sorted(outline.vendors, key=lambda one: one.name)}
    now = datetime.now(UTC)
    return [
        VendorPause(vendor, now + timedelta(seconds=pause.seconds), pause_in_words(pause, now))
        for vendor, pause in found.items()
        if pause
    ]


def pauses(outline: Outline) -> dict[str, str]:
    """Paused vendor -> until when no request is sent, in words."""
    return {each.vendor: each.told for each in paused(outline)}


def use_of_days(now: datetime) -> list[VendorDay]:
    """The requests by vendor and day, of the last two weeks."""
    warehouse = opening.warehouse()
    if not warehouse.exists:
        return []
    since = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=DAYS - 1)
    with warehouse.reading() as connection:
        return use_by_day(connection, since)
