"""What the jobs share that tidy up once a day: their schedule, and the variables that say how long things are kept.

Here: `every_day`, `Kept`. Keep out: the jobs (retention.py, lake_maintenance.py).
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import dagster as dg

from orgdata_dagster.orchestration.config.durations import parse_duration
from orgdata_dagster.settings import SettingsError


@dataclass(frozen=True)
class Kept:
    """How long things are kept. defaults: variable -> duration, such as "30d"."""

    defaults: Mapping[str, str]

    def __getitem__(self, variable: str) -> timedelta:
        """The duration that a variable sets, or its default. Raises SettingsError."""
        try:
            return parse_duration(self._text(variable))
        except ValueError as error:
            raise SettingsError(f"{variable}: {error}") from None

    def metadata(self) -> dict[str, str]:
        """The durations in force, to show in the UI: keep_requests -> "30d"."""
        return {name.lower().removeprefix("orgdata_"): self._text(name) for name in self.defaults}

    def _text(self, variable: str) -> str:
        return os.environ.get(variable) or self.defaults[variable]


def every_day(job: dg.JobDefinition, cron: str, description: str) -> dg.ScheduleDefinition:
    """The schedule of a job, which runs unless somebody stops it. cron: in UTC."""
    return dg.ScheduleDefinition(
        name=f"{job.name}_due",
        job=job,
        cron_schedule=cron,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=description,
    )
