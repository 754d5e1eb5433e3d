"""What a user writes in `defs/channel_reports/defs.yaml`, and the streams that it makes.

Here: the vendor's own options.
Keep out: options of every table (orchestration/config/tables.py), the pull (pulling.py).
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar

import dagster as dg
from pydantic import ConfigDict, Field, field_validator

from orgdata_dagster.orchestration.config.cron import Cron
from orgdata_dagster.orchestration.config.limits import AtLeastOne, Limits, Retries
from orgdata_dagster.orchestration.config.tables import Day, Table
from orgdata_dagster.orchestration.partitions import Grain, bounds, by_grain
from orgdata_dagster.orchestration.planning.estimates import Estimate
from orgdata_dagster.vendors.base.component import VendorComponent
from orgdata_dagster.vendors.base.stream import Step, Stream, target
from orgdata_dagster.vendors.channel_reports.client import FORMS_PATH
from orgdata_dagster.vendors.channel_reports.endpoints import ENDPOINTS, FIELD_COLUMNS, FIELDS_TABLE, Endpoint
from orgdata_dagster.vendors.channel_reports.pulling import Fields, pull_fields, pull_window
from orgdata_dagster.vendors.channel_reports.reconciling import build_check
from orgdata_dagster.vendors.channel_reports.resource import ChannelReportsResource

_BY_FIELD = "reports_per_field_selection"
_PARTITIONS_PER_COMMIT = 400  # at most: usually time ends a batch
_WORKERS = 2  # where `concurrent` is null; runs go side by side, and more threads in one run only compete


class ChannelReportsLimits(Limits):
    """How hard the vendor may be asked; null lifts a limit."""

    concurrent: AtLeastOne | None = Field(default=4, description="Requests under way at once, over all processes.")


class ReportTable(Table):
    """One report: one asset, one table. `name` is the report's name in the API."""

    partitions: Grain = Field(
        default="day", description="What a partition counts. Distinct counts do not add up over days."
    )

    @field_validator("name")
    @classmethod
    def _known_endpoint(cls, name: str) -> str:
        if name not in ENDPOINTS:
            raise ValueError(f"there is no report {name!r}; there are {', '.join(ENDPOINTS)}")
        return name


class ApiModel(dg.Model, dg.Resolvable):
    """What the vendor's document leaves open."""

    model_config = ConfigDict(extra="forbid")

    token_header: str = Field(default="Authorization", description="Header that carries CHANNEL_REPORTS_API_TOKEN.")
    token_prefix: str = Field(default="Bearer", description="Word before the token; empty: the token alone.")
    forms_path: str = Field(default=FORMS_PATH, description="Path of the Forms API behind CHANNEL_REPORTS_BASE_URL.")


class ChannelReports(VendorComponent):
    """Reports of channels (JSON aggregates) as partitioned tables."""

    kind: ClassVar[str] = ChannelReportsResource.kind

    start_date: Day = Field(description="First day to have, YYYY-MM-DD (UTC).")
    channels: list[AtLeastOne] = Field(min_length=1, description="The channels' ids.")
    tables: list[ReportTable] = Field(
        default=[ReportTable(name=name) for name in ENDPOINTS],
        min_length=1,
        description="The tables to have, one per report; all nine if this is left out.",
    )
    field_ids: list[int] = Field(
        default=[], description=f"Fields for {_BY_FIELD}; if left out, those that the Forms API lists."
    )
    repull_days: int = Field(
        default=3, ge=0, description="How many days before today the schedule pulls again: late events change them."
    )
    cron: Cron | None = Field(default="25 */6 * * *", description="When to pull what is due (UTC); null: no schedule.")
    limits: ChannelReportsLimits = Field(
        default=ChannelReportsLimits(), description="The vendor documents none: a polite default; null lifts a limit."
    )
    retries: Retries = Field(default=Retries(), description="How often and how patiently a request is retried.")
    api: ApiModel = Field(default=ApiModel(), description="What the vendor's document leaves open.")

    @field_validator("channels", "field_ids")
    @classmethod
    def _each_once(cls, values: list[int]) -> list[int]:
        if twice := [str(value) for value in dict.fromkeys(values) if values.count(value) > 1]:
            raise ValueError(f"{', '.join(twice)} named more than once")
        return values

    def resource(self) -> ChannelReportsResource:
        """The resource with the YAML's limits, retries and names."""
        return ChannelReportsResource.from_variables(
            account=self.name or "",
            **self.limits.model_dump(),
            **self.retries.fields(),
            **self.api.model_dump(),
            probe_channel=self.channels[0],
        )

    def again_days(self) -> int:
        """The vendor changes the last days: they are pulled again."""
        return self.repull_days

    def streams(self) -> list[Stream]:
        """A stream per report, and one for the fields of the forms where they are asked for."""
        streams = [self._report(table, ENDPOINTS[table.name]) for table in self.tables]
        discovered = not self.field_ids and any(table.name == _BY_FIELD for table in self.tables)
        return [*streams, self._fields()] if discovered else streams

    def _report(self, table: ReportTable, endpoint: Endpoint) -> Stream:
        about = table.description or endpoint.about
        descriptions = endpoint.descriptions | table.column_descriptions
        window = f"{about} Each row counts one window of a {table.partitions} (UTC), start_date to end_date."
        return Stream(
            table,
            target(self.account, table, window, column_descriptions=descriptions),
            description=f"{about} A partition is the vendor's count of one {table.partitions} (UTC). Distinct counts "
            "do not add up over partitions: see the columns.",
            file_format="json",
            run=self._run,
            pulls="days",
            partitions=by_grain(table.partitions, self.start_date),
            estimate=_estimate(endpoint, len(self.channels), len(self.field_ids)),
            declared=endpoint.types,
            reconciliation=partial(build_check, endpoint=endpoint, channels=tuple(self.channels))
            if endpoint.additive
            else None,
        )

    def _run(self, step: Step) -> dg.MaterializeResult:
        endpoint, partitions = ENDPOINTS[step.stream.table.name], step.stream.partitions
        assert partitions is not None
        fields = Fields(step.client, self.field_ids)
        return step.land(
            lambda intake: pull_window(
                step.client, endpoint, self.channels, fields, intake, bounds(partitions, str(intake.partition))
            ),
            workers=step.resource.concurrent or _WORKERS,
            batch=_PARTITIONS_PER_COMMIT,
        )

    def _fields(self) -> Stream:
        """The fields of all forms as they are now."""
        about = "Fields of the forms of all channels, of every type, as they are now; from the Forms API."
        table = Table(name=FIELDS_TABLE)
        descriptions = {name: text for name, (_, text) in FIELD_COLUMNS.items()}
        return Stream(
            table,
            target(self.account, table, about, column_descriptions=descriptions),
            description=about,
            file_format="json",
            run=lambda step: step.land(lambda intake: pull_fields(step.client, self.channels, intake)),
            pulls="whole",
            estimate=_estimate(None, len(self.channels), 0),
            declared={name: kind for name, (kind, _) in FIELD_COLUMNS.items()},
        )


def _estimate(endpoint: Endpoint | None, channels: int, fields: int) -> Estimate:
    """A request per channel and window, times the fields where it goes by field. No endpoint: the forms alone.

    `fields`: how many are listed; 0 if they are asked for once per run and channel: only the ledger knows how many.
    """
    if endpoint is None or not endpoint.by_field:
        return Estimate(channels, exact=True)
    return Estimate(channels * fields, exact=True) if fields else Estimate(channels, per_run=channels)
