"""Instants as a vendor's filters take them: ISO 8601, dates, epoch seconds or milliseconds.

Here: `Format`, `Bounds`, and reading an instant out of a row. Add here: another spelling of instants.
Keep out: which part of the time line is asked for (a vendor's pulling.py).

Half-open `[start, end)` is what we mean. A vendor that excludes `from`, or includes `until`, is asked for a unit of its
format more or less; what lies outside comes again and is told by its instant.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any, Literal

Format = Literal["iso8601", "date", "epoch", "epoch_ms"]

_UNIT = {
    "iso8601": timedelta(seconds=1),
    "date": timedelta(days=1),
    "epoch": timedelta(seconds=1),
    "epoch_ms": timedelta(milliseconds=1),
}


@dataclass(frozen=True)
class Bounds:
    """How a vendor is asked for `[start, end)`: the format, and whether it includes the two bounds themselves."""

    format: Format = "iso8601"
    includes_from: bool = True
    includes_until: bool = False

    def start(self, instant: datetime) -> str | int:
        """The value of the lower bound; what it lets in is never later than the instant."""
        unit = _UNIT[self.format]
        floor = _floored(instant, unit)
        return spelled(floor if self.includes_from else floor - unit, self.format)

    def end(self, instant: datetime) -> str | int:
        """The value of the upper bound; what it leaves out is never earlier than the instant."""
        unit = _UNIT[self.format]
        ceiling = _floored(instant, unit)
        if ceiling < instant:
            ceiling += unit
        if not self.includes_until:
            return spelled(ceiling, self.format)
        # in whole units; finer instants are included by the unit's own end where the vendor compares them exactly
        return spelled(ceiling - unit if self.format == "date" else ceiling, self.format)


def spelled(instant: datetime, form: Format) -> str | int:
    """The instant in the vendor's format: a number for an epoch, else text."""
    match form:
        case "iso8601":
            return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ").zfill(20)
        case "date":
            return instant.astimezone(UTC).date().isoformat()
    return int(instant.timestamp() * (1000 if form == "epoch_ms" else 1))


def instant_of(value: Any) -> datetime | None:
    """The instant that a row's value names: ISO 8601 (UTC where it has no zone), or an epoch in seconds or
    milliseconds; None where it names none."""
    if isinstance(value, str):
        try:
            found = datetime.fromisoformat(value.strip())
        except ValueError:
            value = float(value) if value.strip().replace(".", "", 1).isdecimal() else None
        else:
            return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    seconds = value / 1000 if abs(value) >= 100_000_000_000 else value
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _floored(instant: datetime, unit: timedelta) -> datetime:
    midnight = datetime.combine(instant.astimezone(UTC).date(), time.min, UTC)
    return midnight + (instant.astimezone(UTC) - midnight) // unit * unit
