"""The YAML of channel_reports (`defs/channel_reports/defs.yaml`), and the streams made from it.

Here: the vendor's own options.
Keep out: options of every table (orchestration/config/table_options.py), the pull (pulling.py).
"""

from __future__ import annotations

from typing import ClassVar

import dagster as dg
from pydantic import Field, field_validator

from orgdata_dagster.orchestration.config.cron import Cron
from orgdata_dagster.orchestration.config.request_options import AtLeastOne, Retries
from orgdata_dagster.orchestration.config.table_options import StartDate, Table
from orgdata_dagster.orchestration.partitions import Grain, bounds, by_grain
from orgdata_dagster.orchestration.planning.estimates import Estimate
from orgdata_dagster.vendors.base.component import VendorComponent
from orgdata_dagster.vendors.base.stream import Step, Stream, target
from orgdata_dagster.vendors.channel_reports.endpoints import ENDPOINTS, FIELD_COLUMNS, FIELDS_TABLE, Endpoint
from orgdata_dagster.vendors.channel_reports.pulling import Fields, pull_fields, pull_partition
from orgdata_dagster.vendors.channel_reports.reconciling import RangeSum
from orgdata_dagster.vendors.channel_reports.resource import (
    ChannelReportsApi,
    ChannelReportsLimits,
    ChannelReportsResource,
)

_BY_FIELD = "reports_per_field_selection"
_WORKERS = 2  # if `concurrent` is null; runs are concurrent already, and more threads per run would only compete


class ReportTable(Table):
    """One report: one asset, one table. `name` is the report's name in the API."""

    partitions: Grain = Field(
        default="day", description="The length of a partition. Distinct counts do not add up over partitions."
    )

    @field_validator("name")
    @classmethod
    def _known_endpoint(cls, name: str) -> str:
        if name not in ENDPOINTS:
            raise ValueError(f"unknown report {name!r}; known: {', '.join(ENDPOINTS)}")
        return name


class ChannelReports(VendorComponent):
    """Reports of channels (JSON aggregates) as partitioned tables."""

    kind: ClassVar[str] = ChannelReportsResource.kind

    start_date: StartDate = Field(description="First day to pull, YYYY-MM-DD (UTC).")
    channels: list[AtLeastOne] = Field(min_length=1, description="The channels' ids.")
    tables: list[ReportTable] = Field(
        default=[ReportTable(name=name) for name in ENDPOINTS],
        min_length=1,
        description="The tables to pull, one per report. Default: all nine.",
    )
    field_ids: list[int] = Field(
        default=[], description=f"Fields for {_BY_FIELD}. Default: the fields in the Forms API."
    )
    repull_days: int = Field(
        default=3,
        ge=0,
        description="Number of days before today that the schedule pulls again, because late events change them.",
    )
    cron: Cron | None = Field(default="25 */6 * * *", description="Cron of the schedule (UTC); null: no schedule.")
    limits: ChannelReportsLimits = Field(
        default=ChannelReportsLimits(), description="Rate limit. The vendor documents none; null: no bound."
    )
    retries: Retries = Field(default=Retries(), description="Retries of a request.")
    api: ChannelReportsApi = Field(
        default=ChannelReportsApi(), description="Names that the vendor's document leaves open."
    )

    @field_validator("channels", "field_ids")
    @classmethod
    def _each_once(cls, values: list[int]) -> list[int]:
        if twice := [str(value) for value in dict.fromkeys(values) if values.count(value) > 1]:
            raise ValueError(f"{', '.join(twice)} named more than once")
        return values

    def resource(self) -> ChannelReportsResource:
        """The resource with the limits, retries and names of the YAML."""
        return ChannelReportsResource.from_variables(
            account=self.name or "",
            limits=self.limits,
            retries=self.retries,
            api=self.api,
            probe_channel=self.channels[0],
        )

    def again_days(self) -> int:
        """The number of days to pull again, because the vendor changes the last days."""
        return self.repull_days

    def streams(self) -> list[Stream]:
        """One stream per report, and one for the fields of the forms if the Forms API is used."""
        discovered = not self.field_ids and any(table.name == _BY_FIELD for table in self.tables)
        return [*super().streams(), *([self._fields()] if discovered else [])]

    def stream(self, table: ReportTable) -> Stream:
        """The stream of one report."""
        endpoint = ENDPOINTS[table.name]
        about = table.description or endpoint.about
        counted = f"{about} Each row counts one {table.partitions} (UTC), from start_date to end_date."
        rules = target(self.account, table, counted, documented=endpoint.descriptions)
        partitions = by_grain(table.partitions, self.start_date)
        compared = RangeSum(rules.table, partitions, endpoint, self.channels)
        return Stream(
            table,
            rules,
            description=f"{about} A partition has the vendor's counts of one {table.partitions} (UTC). Distinct counts "
            "do not add up over partitions: see the columns.",
            file_format="json",
            run=self._run,
            pulls="days",
            partitions=partitions,
            estimate=_estimate(endpoint, len(self.channels), len(self.field_ids)),
            declared=endpoint.types,
            reconciliation=compared.reconciliation() if endpoint.additive else None,
        )

    def _run(self, step: Step) -> dg.MaterializeResult:
        endpoint, partitions = ENDPOINTS[step.stream.table.name], step.stream.partitions
        assert partitions is not None
        fields = Fields(step.client, self.field_ids)
        return step.land(
            lambda intake: pull_partition(
                step.client, endpoint, self.channels, fields, intake, bounds(partitions, str(intake.partition))
            ),
            workers=step.resource.limits.concurrent or _WORKERS,
        )

    def _fields(self) -> Stream:
        """The stream of the current fields of all forms."""
        about = "Fields of the forms of all channels, of every type, as they are now; from the Forms API."
        table = Table(name=FIELDS_TABLE)
        descriptions = {name: text for name, (_, text) in FIELD_COLUMNS.items()}
        return Stream(
            table,
            target(self.account, table, about, documented=descriptions),
            description=about,
            file_format="json",
            run=lambda step: step.land(lambda intake: pull_fields(step.client, self.channels, intake)),
            pulls="whole",
            estimate=_estimate(None, len(self.channels), 0),
            declared={name: kind for name, (kind, _) in FIELD_COLUMNS.items()},
        )


def _estimate(endpoint: Endpoint | None, channels: int, fields: int) -> Estimate:
    """One request per channel and partition; if the report is by field, one per field.

    endpoint: None for the forms.
    fields: number of fields in `field_ids`; 0 if they are read from the Forms API, once per run and channel. Then only
        the ledger knows their number.
    """
    if endpoint is None or not endpoint.by_field:
        return Estimate(channels, exact=True)
    return Estimate(channels * fields, exact=True) if fields else Estimate(channels, per_run=channels)
