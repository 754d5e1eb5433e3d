"""The first day of vendors that have only the current state: days before their first snapshot can never be pulled.

Here: `first_day`, the first partition of such a vendor, and `keep_first_day`, which is called after a snapshot.
Keep out: taking snapshots (assets/snapshots.py).

The day is a note in the shared state, so that all processes define the same partitions without opening the warehouse.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

from orgdata_dagster.orchestration.days import day_of
from orgdata_dagster.orchestration.shared_state import shared_state
from orgdata_dagster.settings import SettingsError
from orgdata_dagster.state import StateUnavailable
from orgdata_dagster.warehouse.ledger import coverage
from orgdata_dagster.warehouse.storage.connection import Warehouse

_NOTES = "first_days"


def first_day(vendor: str, start_date: str) -> str:
    """The day of the vendor's first snapshot, or today if there is no snapshot yet; never before `start_date`.

    If the state cannot be read, it is `start_date`. No run can start then, but the definitions can be loaded.
    """
    try:
        kept = shared_state().notes(_NOTES).read(vendor)
    except (StateUnavailable, SettingsError, OSError):
        return start_date
    return max(start_date, kept if kept and day_of(kept) else datetime.now(UTC).date().isoformat())


def keep_first_day(vendor: str, warehouse: Warehouse) -> None:
    """Record the vendor's first day in the ledger as a note. If that fails, the next snapshot records it."""
    with suppress(StateUnavailable, OSError):
        notes = shared_state().notes(_NOTES)
        if notes.read(vendor) is None:
            with warehouse.reading() as connection:
                first = coverage.first_partition(connection, vendor)
            if day_of(first):
                notes.add(vendor, first)
