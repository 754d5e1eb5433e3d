"""Quiet hours: a part of the day in which no alert is sent.

Here: reading `ORGDATA_ALERT_QUIET_HOURS`. Keep out: handling of alerts during these hours (sensor.py).
"""

from __future__ import annotations

import os
import re
from datetime import datetime, time
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from orgdata_dagster import settings

VARIABLE = "ORGDATA_ALERT_QUIET_HOURS"
_WRITTEN = re.compile(r"(\d{1,2}:\d\d)\s*-\s*(\d{1,2}:\d\d)(?:\s+(\S+))?")


def is_quiet(now: datetime) -> bool:
    """Whether `now` is within the quiet hours. Raises SettingsError if they are malformed."""
    text = os.environ.get(VARIABLE, "").strip()
    if not text:
        return False
    try:
        match = _WRITTEN.fullmatch(text)
        if match is None:
            raise ValueError
        begin, end = (time.fromisoformat(each.zfill(5)) for each in match.group(1, 2))
        at = now.astimezone(ZoneInfo(match[3] or "UTC")).time()
    except (ValueError, ZoneInfoNotFoundError, OSError):
        raise settings.SettingsError(
            f"{VARIABLE}: {text!r} is not a part of the day; write HH:MM-HH:MM, in UTC or with a time zone, such as "
            "22:00-07:00 Europe/Berlin"
        ) from None
    return begin <= at < end if begin <= end else at >= begin or at < end
