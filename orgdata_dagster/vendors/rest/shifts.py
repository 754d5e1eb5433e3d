"""Vendors that filter by other days than UTC days, for example because they take the bounds for local times.

Here: recognizing them by rows outside the requested day, and what that means for days that landed before.
Keep out: requests (pulling.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from orgdata_dagster.warehouse.ledger.coverage import mark_incomplete
from orgdata_dagster.warehouse.ledger.state import FILTER_IS_SHIFTED, state_of, write_state
from orgdata_dagster.warehouse.names import TableName
from orgdata_dagster.warehouse.storage.connection import Warehouse

FARTHEST = timedelta(hours=14)  # of any time zone from UTC
_WHY = "the vendor's days are not UTC days: rows of this day may be missing, which the next pull requests"


@dataclass(frozen=True)
class Seen:
    """The instant of a row, and the parent in whose list it was."""

    at: datetime
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Shifts:
    """Findings of the days of one step.

    checked: whether a row near the end of a day was checked.
    found: whether the vendor's days are not UTC days.
    again: whether this step has to find out again what earlier ones have found.
    wide: the days that were requested with one more day on both sides, and are therefore complete.
    """

    checked: bool = False
    found: bool = False
    again: bool = False
    wide: set[str] = field(default_factory=set)

    def store(self, warehouse: Warehouse, table: TableName) -> None:
        """If `found`, store that, so that later pulls request more, and mark all days not in `wide` as incomplete.

        If not, what earlier steps have found stays, unless this step looked `again`. A vendor that observes daylight
        saving time is only shifted for a part of the year, so that no single pull can show that it never is.
        """
        if not (self.found or self.again) or not warehouse.exists:
            return
        with warehouse.writing() as connection:
            if self.found:
                mark_incomplete(connection, table, sorted(self.wide), _WHY)
            if self.found or state_of(connection, table).get(FILTER_IS_SHIFTED) == "true":
                found = "true" if self.found else "false"
                write_state(connection, table, {FILTER_IS_SHIFTED: found}, datetime.now(UTC))


def row_outside(
    start: datetime, end: datetime, lowest: Seen | None, highest: Seen | None, margin: timedelta
) -> Seen | None:
    """A row from outside `[start, end)` that suggests a shifted filter; None if there is none.

    A shifted filter returns rows from outside at one end, and omits rows as far inside at the other end. A filter that
    only rounds its bounds returns both.

    lowest, highest: the first and the last received row.
    margin: how much more was requested on both sides.
    """
    if lowest is None or highest is None:
        return None
    early, late = start - lowest.at, highest.at - end
    nothing = timedelta(0)
    if nothing < early <= FARTHEST and highest.at < end - early + 2 * margin:
        return lowest
    if nothing <= late <= FARTHEST and lowest.at > start + late - 2 * margin:
        return highest
    return None
