"""When a person wants something done, as they write it in YAML.

Here: whether a cron expression is one. Keep out: what is done then (schedules.py).
"""

from __future__ import annotations

from typing import Annotated

from dagster._utils.schedules import is_valid_cron_schedule  # what Dagster itself asks, without file and line
from pydantic import AfterValidator


def checked_cron(cron: str) -> str:
    """The expression, as given. Raises ValueError for one that no schedule can have."""
    if not is_valid_cron_schedule(cron):
        raise ValueError(f"{cron!r} is no cron expression; write minute hour day month weekday, such as '15 */4 * * *'")
    return cron


Cron = Annotated[str, AfterValidator(checked_cron)]
