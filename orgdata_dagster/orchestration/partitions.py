"""Days, in UTC: the partitions of everything that has a time line.

Here: partition definitions and the instants of a day. Keep out: what a vendor does with them.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import dagster as dg

DAY = timedelta(days=1)


def daily(start_date: str) -> dg.DailyPartitionsDefinition:
    """Days from `start_date` up to and including today."""
    return dg.DailyPartitionsDefinition(start_date=start_date, end_offset=1, timezone="UTC")


def day_bounds(partition: str) -> tuple[datetime, datetime]:
    """The day `[start, end)` of a partition key."""
    day = date.fromisoformat(partition)
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return start, start + DAY


def days(first: date, last: date) -> list[str]:
    """Partition keys from the first to the last day, both included."""
    return [(first + DAY * number).isoformat() for number in range((last - first).days + 1)]
