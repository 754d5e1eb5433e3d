"""What a user writes in `defs/together/defs.yaml`, checked and documented.

Here: the YAML's fields and their defaults. Keep out: everything that happens with them (assets.py, resource.py).
"""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg
from pydantic import ConfigDict, Field, field_validator, model_validator

from orgdata_dagster.http.retry import RetryPolicy
from orgdata_dagster.orchestration.automation.schedules import today_schedule
from orgdata_dagster.orchestration.config.cron import Cron
from orgdata_dagster.orchestration.config.limits import longest_pause
from orgdata_dagster.orchestration.config.tables import Day, TableModel
from orgdata_dagster.vendors.together.assets import Report, build_asset
from orgdata_dagster.vendors.together.client import MINUTE, REPORTS
from orgdata_dagster.vendors.together.resource import TogetherResource


class TogetherLimits(dg.Model, dg.Resolvable):
    """The document's limit; a violation can cost the key."""

    model_config = ConfigDict(extra="forbid")

    seconds_between_requests: float = Field(
        default=MINUTE,
        gt=0,
        description="One request in so many seconds, and one at a time. Less only for a test server.",
    )


class TogetherRetries(dg.Model, dg.Resolvable):
    """How stubbornly a request is tried after 429, 5xx, network errors and broken reports."""

    model_config = ConfigDict(extra="forbid")

    attempts: int = Field(
        default=RetryPolicy.attempts,
        ge=1,
        description="Attempts in all, the first one included. The waits begin at the interval and double.",
    )
    longest_pause: float = longest_pause()


class ReportModel(TableModel):
    """What may be said of one report's table."""


class Together(dg.Component, dg.Model, dg.Resolvable):
    """An organisation's users, pairings and sessions in Together, a snapshot a day."""

    model_config = ConfigDict(extra="forbid")

    limits: TogetherLimits = Field(default=TogetherLimits(), description="How hard the vendor may be asked.")
    retries: TogetherRetries = Field(default=TogetherRetries(), description="Where trying again may help.")
    cron: Cron | None = Field(default="40 5 * * *", description="When to pull today (UTC); null: never by itself.")
    start_date: Day = Field(
        default="2026-01-01", description="First day that has a partition, YYYY-MM-DD; days that are over stay empty."
    )
    shrink_limit: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="A snapshot that lost more than this share of the last one's rows is refused.",
    )
    keys: dict[str, list[str]] = Field(
        default={}, description="Table: the columns that identify a row. A report without one of them is refused."
    )
    reports: dict[str, ReportModel] = Field(
        default={name: ReportModel() for name in REPORTS},
        description=f"The tables to have ({', '.join(REPORTS)}) and what is said of them; left out: all.",
    )

    @field_validator("keys", "reports")
    @classmethod
    def _known_reports(cls, by_table: Mapping[str, object]) -> Mapping[str, object]:
        if unknown := sorted(set(by_table) - set(REPORTS)):
            raise ValueError(f"there is no report {', '.join(unknown)}; there are {', '.join(REPORTS)}")
        return by_table

    @model_validator(mode="after")
    def _keys_of_reports(self) -> Together:
        if unused := sorted(set(self.keys) - set(self.reports)):
            raise ValueError(f"keys: {', '.join(unused)} is not among the reports {', '.join(self.reports)}")
        return self

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """The assets, their resource and their schedule."""
        vendor = TogetherResource.vendor
        assets = [
            build_asset(
                Report(
                    name=name,
                    key=tuple(self.keys.get(name, ())),
                    **report.settings(self.cron),
                ),
                start_date=self.start_date,
                shrink_limit=self.shrink_limit,
            )
            for name, report in self.reports.items()
        ]
        resource = TogetherResource.from_variables(
            seconds_between_requests=self.limits.seconds_between_requests,
            **{f"retry_{name}": value for name, value in self.retries.model_dump().items()},
        )
        schedules = [today_schedule(vendor, self.cron, assets)] if self.cron else []
        return dg.Definitions(assets=assets, resources={vendor: resource}, schedules=schedules)
