"""The YAML of together (`defs/together/defs.yaml`), and the streams made from it.

Here: the vendor's own options.
Keep out: options of every table (orchestration/config/table_options.py), the pull (pulling.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import ClassVar

from pydantic import Field, field_validator

from orgdata_dagster.orchestration.assets.snapshots import accept_shrink_remedy, land_snapshot, today_utc
from orgdata_dagster.orchestration.config.cron import Cron
from orgdata_dagster.orchestration.config.request_options import BaseRetries, Retries
from orgdata_dagster.orchestration.config.table_options import StartDate, Table
from orgdata_dagster.orchestration.first_days import first_day
from orgdata_dagster.orchestration.partitions import daily
from orgdata_dagster.orchestration.tags import ACCEPT_SHRINK_TAG
from orgdata_dagster.vendors.base.component import VendorComponent
from orgdata_dagster.vendors.base.stream import Event, Step, Stream, target
from orgdata_dagster.vendors.together.client import REPORTS
from orgdata_dagster.vendors.together.pulling import pull_now
from orgdata_dagster.vendors.together.resource import TogetherLimits, TogetherResource
from orgdata_dagster.warehouse.commit.snapshots import ShrinkGuard


class ReportTable(Table):
    """One report: one asset, one table. `name` is users, pairings or sessions."""

    @field_validator("name")
    @classmethod
    def _known_report(cls, name: str) -> str:
        if name not in REPORTS:
            raise ValueError(f"unknown report {name!r}; known: {', '.join(REPORTS)}")
        return name


class Together(VendorComponent):
    """An organisation's users, pairings and sessions in Together, one snapshot per day."""

    kind: ClassVar[str] = TogetherResource.kind
    today: ClassVar[Callable[[], str]] = staticmethod(today_utc)  # the clock of snapshots

    limits: TogetherLimits = Field(default=TogetherLimits(), description="The rate limit.")
    retries: BaseRetries = Field(
        default=BaseRetries(), description="Retries of a request. The waits start at 60 s and double."
    )
    cron: Cron | None = Field(default="40 5 * * *", description="Cron of the schedule (UTC); null: no schedule.")
    start_date: StartDate = Field(
        default="2026-01-01",
        description="No partition is earlier, YYYY-MM-DD. The first one is the day of the first snapshot: earlier days "
        "cannot be pulled.",
    )
    shrink_limit: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="A snapshot that lacks more than this share of the last snapshot's rows is rejected.",
    )
    tables: list[ReportTable] = Field(
        default=[ReportTable(name=name) for name in REPORTS],
        min_length=1,
        description=f"The tables to pull ({', '.join(REPORTS)}). Default: all of them.",
    )

    def resource(self) -> TogetherResource:
        """The resource with the limit and retries of the YAML."""
        return TogetherResource.from_variables(
            account=self.name or "",
            limits=self.limits,
            retries=Retries(**self.retries.model_dump()),
        )

    def stream(self, table: ReportTable) -> Stream:
        """The stream of a report, with daily snapshots."""
        about = table.description or f"The organisation's {REPORTS[table.name]}."
        guard = ShrinkGuard(self.shrink_limit, remedy=accept_shrink_remedy(f"{self.account}/{table.name}"))
        return Stream(
            table,
            target(
                self.account, table, f"{about} Each partition is the snapshot of its day.", snapshots=True, refuse=guard
            ),
            description=f"{about} The vendor has only the current state: a partition is the snapshot of its day, and "
            f"only today's can be pulled. `{table.name}_current` is the last snapshot, `{table.name}_history` has the "
            "changes.",
            file_format="csv",
            run=self._run,
            once=lambda client, intake: pull_now(client, table.name, intake),
            pulls="today",
            partitions=daily(first_day(self.account, self.start_date)),
            partitions_per_run=None,  # a backfill of days that are over then fails only once
        )

    def _run(self, step: Step) -> Iterator[Event]:
        rules = step.stream.target
        accepted = step.context.run.tags.get(ACCEPT_SHRINK_TAG) == "true"
        yield from land_snapshot(
            step.context,
            warehouse=step.warehouse,
            target=replace(rules, refuse=None) if accepted else rules,
            pull=lambda intake: pull_now(step.client, rules.table.name, intake),
            requests=step.requests,
            declared=step.types,
            today=type(self).today,
        )
