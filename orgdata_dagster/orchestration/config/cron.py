"""Cron expressions in YAML.

Here: the type and its validation. Keep out: schedules (automation/schedules.py).
"""

from __future__ import annotations

from typing import Annotated

import dagster as dg
from pydantic import AfterValidator


def checked_cron(cron: str) -> str:
    """Return the expression unchanged. Raises ValueError if Dagster does not accept it for a schedule."""
    try:
        dg.ScheduleDefinition(name="checked", cron_schedule=cron, job_name="checked")
    except dg.DagsterInvalidDefinitionError:
        raise ValueError(
            f"{cron!r} is not a cron expression; write minute hour day month weekday, such as '15 */4 * * *'"
        ) from None
    return cron


Cron = Annotated[str, AfterValidator(checked_cron)]
