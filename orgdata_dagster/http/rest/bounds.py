"""Bounds of a vendor's filters: ISO 8601, dates, epoch seconds or epoch milliseconds.

Here: `Format` and `Bounds`. Add here when: a vendor writes instants in another way.
Keep out: which interval is requested (a vendor's pulling.py).

All intervals are half-open, `[start, end)`. If a vendor excludes the lower bound or includes the upper one, the bound
is moved by one unit of its format. Rows outside the interval are recognised by their instant.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Literal

Format = Literal["iso8601", "date", "epoch", "epoch_ms"]

_FIRST = datetime.min.replace(tzinfo=UTC)
_UNIT = {
    "iso8601": timedelta(seconds=1),
    "date": timedelta(days=1),
    "epoch": timedelta(seconds=1),
    "epoch_ms": timedelta(milliseconds=1),
}


@dataclass(frozen=True)
class Bounds:
    """The bounds of `[start, end)`: their format, and whether the vendor includes rows at the bounds."""

    format: Format = "iso8601"
    includes_from: bool = True
    includes_until: bool = False

    def start(self, instant: datetime) -> str | int:
        """The value of the lower bound; it is never later than the instant."""
        unit = _UNIT[self.format]
        floor = _floored(instant, unit)
        return spelled(floor if self.includes_from else earlier(floor, unit), self.format)

    def end(self, instant: datetime) -> str | int:
        """The value of the upper bound; it excludes nothing earlier than the instant."""
        unit = _UNIT[self.format]
        ceiling = _floored(instant, unit)
        if ceiling < instant:
            ceiling += unit
        if not self.includes_until:
            return spelled(ceiling, self.format)
        # In whole units. A vendor that compares exact instants includes those before the unit's end.
        return spelled(ceiling - unit if self.format == "date" else ceiling, self.format)


def earlier(instant: datetime, by: timedelta) -> datetime:
    """The instant minus a duration, or the first instant that can be represented: some vendors' empty value."""
    return instant - by if instant - _FIRST > by else _FIRST


def spelled(instant: datetime, form: Format) -> str | int:
    """The instant in the vendor's format: a number for an epoch, else text."""
    match form:
        case "iso8601":
            return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ").zfill(20)
        case "date":
            return instant.astimezone(UTC).date().isoformat()
    return int(instant.timestamp() * (1000 if form == "epoch_ms" else 1))


def _floored(instant: datetime, unit: timedelta) -> datetime:
    midnight = datetime.combine(instant.astimezone(UTC).date(), time.min, UTC)
    return midnight + (instant.astimezone(UTC) - midnight) // unit * unit
