"""The YAML of institution_analytics (`defs/institution_analytics/defs.yaml`), and the streams made from it.

Here: the vendor's own options.
Keep out: options of every table (orchestration/config/tables.py), the pull (pulling.py).
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar

import dagster as dg
from pydantic import ConfigDict, Field

from orgdata_dagster.orchestration.config.cron import Cron
from orgdata_dagster.orchestration.config.durations import Duration, parse_duration
from orgdata_dagster.orchestration.config.request_options import Limits, Retries
from orgdata_dagster.orchestration.config.tables import StartDate, Table
from orgdata_dagster.orchestration.partitions import daily
from orgdata_dagster.vendors.base.component import VendorComponent
from orgdata_dagster.vendors.base.stream import Step, Stream, target
from orgdata_dagster.vendors.institution_analytics.client import Endpoint, Precision
from orgdata_dagster.vendors.institution_analytics.pulling import pull_day
from orgdata_dagster.vendors.institution_analytics.resource import InstitutionAnalyticsResource

_UPDATED = "When the row was last inserted or updated, by the vendor's clock."


class DataSetTable(Table):
    """One data set: one asset, one table."""

    data_set: str | None = Field(
        default=None, description="The vendor's name of the data set, if it differs from `name`."
    )

    @property
    def vendor_name(self) -> str:
        """The data set's name in requests."""
        return self.data_set or self.name


class ApiModel(dg.Model, dg.Resolvable):
    """What the vendor's document leaves open."""

    model_config = ConfigDict(extra="forbid")

    path: str = Field(default=Endpoint.path, description="Path after INSTITUTION_ANALYTICS_BASE_URL.")
    api_key_header: str = Field(default="api-key", description="Header with INSTITUTION_ANALYTICS_API_KEY.")
    cursor_column: str = Field(default="updated_date", description="Column with the time of a row's last update.")
    data_set_parameter: str = Field(
        default=Endpoint.data_set_parameter, description="Parameter that names the data set."
    )
    after_parameter: str = Field(default=Endpoint.after_parameter, description="Parameter of the lower bound.")
    before_parameter: str = Field(default=Endpoint.before_parameter, description="Parameter of the upper bound.")
    precision: Precision = Field(default=Endpoint.precision, description="Finest unit of the timestamps.")
    page_rows: int = Field(
        default=Endpoint.page_rows, ge=2, description="The documented page size. Paging does not rely on it."
    )


class InstitutionAnalytics(VendorComponent):
    """An institution's analytics exports (CSV) as daily partitioned tables."""

    kind: ClassVar[str] = InstitutionAnalyticsResource.kind

    start_date: StartDate = Field(description="First day to pull, YYYY-MM-DD (UTC).")
    tables: list[DataSetTable] = Field(min_length=1, description="The tables to pull, one per data set.")
    cron: Cron | None = Field(default="15 */4 * * *", description="Cron of the schedule (UTC); null: no schedule.")
    limits: Limits = Field(default=Limits(), description="Rate limit. The vendor documents none; null: no bound.")
    retries: Retries = Field(default=Retries(), description="Retries of a request.")
    api: ApiModel = Field(default=ApiModel(), description="Names that the vendor's document leaves open.")
    lookback: Duration = Field(
        default="10s",
        description="Rows younger than this, by the vendor's clock, are pulled again by the next pull.",
    )

    def resource(self) -> InstitutionAnalyticsResource:
        """The resource with the limits, retries and names of the YAML."""
        return InstitutionAnalyticsResource.from_variables(
            account=self.name or "",
            **self.limits.model_dump(),
            **self.retries.fields(),
            **self.api.model_dump(),
            probe_data_set=self.tables[0].vendor_name,
        )

    def streams(self) -> list[Stream]:
        """One stream per data set, by day."""
        return [self._stream(table) for table in self.tables]

    def _stream(self, table: DataSetTable) -> Stream:
        about = table.description or f"Data set `{table.vendor_name}` of the institution."
        current = f"; `{table.name}_current` has the newest version of each key" if table.key else ""
        return Stream(
            table,
            target(
                self.account,
                table,
                about,
                cursor=self.api.cursor_column,
                documented={self.api.cursor_column: _UPDATED},
            ),
            description=f"{about} A day's partition has the rows that were last updated on it (UTC){current}.",
            file_format="csv",
            run=partial(self._run, table.vendor_name),
            pulls="days",
            partitions=daily(self.start_date),
        )

    def _run(self, data_set: str, step: Step) -> dg.MaterializeResult:
        cursor, lookback = self.api.cursor_column, parse_duration(self.lookback)
        return step.land(
            lambda intake: pull_day(step.client, data_set, intake, cursor, lookback),
            workers=step.resource.concurrent or 4,
        )
