"""Full walks: reading everything again, in a table for which usually only changes are requested, to find deletions.

Here: when the last full walk took place, and whether another one is due. Keep out: the requests (a vendor's
pulling.py), storing the time (`Pulled.state`, warehouse/ledger/state.py).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from orgdata_dagster.orchestration.assets.intake import Intake
from orgdata_dagster.warehouse.ledger.state import LAST_FULL_WALK


def last_full_walk(intake: Intake) -> datetime | None:
    """When the last full walk took place; None if there was none, or if its time is ahead of our clock."""
    walked = intake.state.get(LAST_FULL_WALK)
    at = datetime.fromisoformat(walked).astimezone(UTC) if walked else None
    return at if at and at <= datetime.now(UTC) else None


def full_walk_is_due(intake: Intake, every: timedelta | None) -> bool:
    """Whether everything must be read. `every`: how often; None: only the first time."""
    walked = last_full_walk(intake)
    return walked is None or not intake.known or (every is not None and datetime.now(UTC) - walked >= every)
