"""How old a table may become, from the cron that refreshes it.

Here: `freshness`. Keep out: schedules (schedules.py).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise

import dagster as dg

_TICKS = 60
_FORMAT = "%Y-%m-%dT%H:%M:%S"
_RUN = timedelta(minutes=30)  # what a run may take


@cache  # most tables of a project have one of a few crons, and to look 60 ticks ahead takes a few milliseconds
def freshness(cron: str | None) -> dg.FreshnessPolicy | None:
    """A warning when a tick was missed, an error when two were: by the longest pause between ticks. None: no cron."""
    if not cron:
        return None
    now = datetime.now(UTC)
    windows = dg.TimeWindowPartitionsDefinition(
        start=now, fmt=_FORMAT, cron_schedule=cron, timezone="UTC", end_offset=_TICKS
    )
    ticks = [datetime.strptime(key, _FORMAT) for key in windows.get_partition_keys(current_time=now)]
    pause = max(later - earlier for earlier, later in pairwise(ticks))
    return dg.FreshnessPolicy.time_window(fail_window=2 * pause + _RUN, warn_window=pause + _RUN)
