"""A vendor's pause in words: until when, and how to lift it.

Here: what `status` and `doctor` both say of it. Keep out: pausing (http/pauses.py); anything that imports Dagster.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from orgdata_dagster.http.rate_limit import Pause
from orgdata_dagster.http.waiting import span


def pause_in_words(pause: Pause, now: datetime) -> str:
    """Until when no request is sent, and how long a pause the vendor asked for."""
    until = now + timedelta(seconds=pause.seconds)
    told = f"no request is sent until {until:%Y-%m-%d %H:%M:%S} UTC ({span(pause.seconds)}), as the vendor asked"
    return f"{told}; it asked for {span(pause.asked)}" if pause.asked is not None else told


def lift(vendor: str) -> str:
    """How to lift a pause."""
    return f"Wait, or run `orgdata doctor --clear {vendor}`: the next pull then asks again."
