"""Freshness policies: how old a table may become, derived from the cron that refreshes it.

Here: `freshness`. Keep out: schedules (automation/schedules.py).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise

import dagster as dg

_TICKS = 60
_FORMAT = "%Y-%m-%dT%H:%M:%S"
_RUN = timedelta(minutes=30)  # how long a run may take


@cache  # a project has few different crons, and computing 60 ticks takes a few milliseconds
def freshness(cron: str | None) -> dg.FreshnessPolicy | None:
    """Warn after one missed tick and fail after two, by the longest time between ticks. None if there is no cron."""
    if not cron:
        return None
    now = datetime.now(UTC)
    windows = dg.TimeWindowPartitionsDefinition(
        start=now, fmt=_FORMAT, cron_schedule=cron, timezone="UTC", end_offset=_TICKS
    )
    ticks = [datetime.strptime(key, _FORMAT) for key in windows.get_partition_keys(current_time=now)]
    pause = max(later - earlier for earlier, later in pairwise(ticks))
    return dg.FreshnessPolicy.time_window(fail_window=2 * pause + _RUN, warn_window=pause + _RUN)
