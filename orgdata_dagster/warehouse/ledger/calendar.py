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

    The states are:

    complete: everything was pulled.
    unfinished: the day is not over, and everything so far was pulled.
    incomplete: the day was pulled, but a part of it is not proven complete.
    missing: the day is over, and nothing was pulled. A day that is not over has no state until it is pulled.
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
    """Prepare snapshots for `calendar`: each represents the day on which it was taken, not the 24 hours before."""
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
