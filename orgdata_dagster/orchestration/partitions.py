"""Days, weeks and months in UTC: the partitions of tables.

Here: partition definitions, and the time window of a partition. Keep out: pulling a partition (vendors/).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Literal

import dagster as dg

DAY = timedelta(days=1)

Grain = Literal["day", "week", "month"]


def daily(start_date: str) -> dg.DailyPartitionsDefinition:
    """Days from `start_date` up to and including today."""
    return dg.DailyPartitionsDefinition(start_date=start_date, end_offset=1, timezone="UTC")


def by_grain(grain: Grain, start_date: str) -> dg.TimeWindowPartitionsDefinition:
    """Days, weeks (from Monday) or months, from the one with `start_date` up to and including the current one."""
    first = date.fromisoformat(start_date)
    if grain == "week":
        monday = first - first.weekday() * DAY
        return dg.WeeklyPartitionsDefinition(start_date=str(monday), day_offset=1, end_offset=1, timezone="UTC")
    if grain == "month":
        return dg.MonthlyPartitionsDefinition(start_date=str(first.replace(day=1)), end_offset=1, timezone="UTC")
    return daily(start_date)


def key_of(partitions: dg.PartitionsDefinition | None, day: date) -> str:
    """The key of the partition that contains the day; the day itself if the partitions are days or have no time."""
    if isinstance(partitions, dg.TimeWindowPartitionsDefinition) and not _are_days(partitions):
        return partitions.get_partition_key_for_timestamp(
            datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
        )
    return day.isoformat()


def keys_between(partitions: dg.TimeWindowPartitionsDefinition, first: date, last: date) -> list[str]:
    """The keys from the partition of the first day to the partition of the last day, inclusive.

    Partitions before the definition's start are omitted.
    """
    begin = max(first, partitions.start.date())
    if begin > last:
        return []
    if _are_days(partitions):
        return days(begin, last)
    reach = dg.PartitionKeyRange(key_of(partitions, begin), key_of(partitions, last))
    return list(partitions.get_partition_keys_in_range(reach))


def _are_days(partitions: dg.TimeWindowPartitionsDefinition) -> bool:
    """Whether the partitions are UTC days. Their keys are computed here, because Dagster takes 0.5 ms per key."""
    return (
        isinstance(partitions, dg.DailyPartitionsDefinition)
        and partitions.timezone == "UTC"
        and partitions.cron_schedule == "0 0 * * *"
    )


def bounds(partitions: dg.TimeWindowPartitionsDefinition, key: str) -> tuple[datetime, datetime]:
    """The time window `[start, end)` of a partition."""
    if _are_days(partitions):
        return day_bounds(key)
    window = partitions.time_window_for_partition_key(key)
    return window.start.astimezone(UTC), window.end.astimezone(UTC)


def end_of(partitions: dg.TimeWindowPartitionsDefinition, key: str) -> float:
    """The end of a partition, in Unix seconds."""
    return _end_of_day(key) if _are_days(partitions) else bounds(partitions, key)[1].timestamp()


@lru_cache(maxsize=10_000)
def _end_of_day(partition: str) -> float:
    return day_bounds(partition)[1].timestamp()


def day_bounds(partition: str) -> tuple[datetime, datetime]:
    """The time window `[start, end)` of a daily partition."""
    day = date.fromisoformat(partition)
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return start, start + DAY


def days(first: date, last: date) -> list[str]:
    """The partition keys from the first to the last day, inclusive."""
    return [*_days(first, last)]


@lru_cache(maxsize=100)  # many tables begin on the same day
def _days(first: date, last: date) -> tuple[str, ...]:
    return tuple((first + DAY * number).isoformat() for number in range((last - first).days + 1))
