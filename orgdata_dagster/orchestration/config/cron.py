"""When a person wants something done, as they write it in YAML.

Here: whether a cron expression is one. Keep out: what is done then (schedules.py).
"""

from __future__ import annotations

from typing import Annotated

import dagster as dg
from pydantic import AfterValidator


def checked_cron(cron: str) -> str:
    """The expression, as given. Raises ValueError for one that no schedule can have."""
    try:
        dg.ScheduleDefinition(name="checked", cron_schedule=cron, job_name="checked")
    except dg.DagsterInvalidDefinitionError:
        raise ValueError(
            f"{cron!r} is not a cron expression; write minute hour day month weekday, such as '15 */4 * * *'"
        ) from None
    return cron


Cron = Annotated[str, AfterValidator(checked_cron)]
