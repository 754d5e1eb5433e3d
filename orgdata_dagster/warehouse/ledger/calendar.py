"""The coverage of a table day by day.

Here: `calendar` and `by_their_day`, pure, from the intervals of the ledger. Keep out: reading the
ledger (coverage.py), and drawing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal

from orgdata_dagster.warehouse.ledger.intervals import Interval, joined

DayState = Literal["complete", "unfinished", "incomplete", "missing"]
_DAY = timedelta(days=1)


def calendar(known: Mapping[str | None, Sequence[Interval]], now: datetime) -> dict[date, DayState]:
    """Day -> its state, from the first day of a partition to today. Empty for a table without partitions.

    unfinished: everything so far, of a day that is not over. incomplete: pulled, but a part is not proven complete.
    missing: a day that is over, of which nothing was pulled. A day that has only begun and was not pulled is left out.
    """
    found: dict[date, list[Interval]] = {}
    for partition, parts in known.items():
        for part in parts if partition is not None else ():
            at = part.start.astimezone(UTC).date()
            while _midnight(at) < part.end:
                found.setdefault(at, []).append(part)
                at += _DAY
    if not found:
        return {}
    first, today = min(found), now.astimezone(UTC).date()
    days = [first + _DAY * number for number in range((max(max(found), today) - first).days + 1)]
    states = {day: _state(found.get(day, ()), day, now) for day in days}
    return {day: state for day, state in states.items() if state != "missing" or day < today}


def by_their_day(snapshots: Mapping[str | None, Sequence[Interval]]) -> dict[str | None, list[Interval]]:
    """For `calendar`: a snapshot stands for the day that it was taken on, not for the 24 hours before it."""
    return {name: [_of_its_day(name, part) for part in parts] for name, parts in snapshots.items()}


def _of_its_day(name: str | None, snapshot: Interval) -> Interval:
    try:
        start = _midnight(date.fromisoformat(name or ""))
    except ValueError:
        return snapshot
    return Interval(start, start + _DAY, snapshot.reason)


def _state(parts: Sequence[Interval], day: date, now: datetime) -> DayState:
    if not parts:
        return "missing"
    begin, end = _midnight(day), _midnight(day) + _DAY
    if any(not part.complete for part in parts):
        return "incomplete"
    whole = any(part.start <= begin and part.end >= min(end, now) for part in joined(parts))
    if now < end:
        return "unfinished"
    return "complete" if whole else "incomplete"


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
