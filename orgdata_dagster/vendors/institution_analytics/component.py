"""The YAML of institution_analytics (`defs/institution_analytics/defs.yaml`), and the streams made from it.

Here: the vendor's own options.
Keep out: options of every table (orchestration/config/table_options.py), the pull (pulling.py).
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar

import dagster as dg
from pydantic import Field

from orgdata_dagster.orchestration.config.cron import Cron
from orgdata_dagster.orchestration.config.durations import Duration, parse_duration
from orgdata_dagster.orchestration.config.request_options import Limits, Retries
from orgdata_dagster.orchestration.config.table_options import StartDate, Table
from orgdata_dagster.orchestration.partitions import daily
from orgdata_dagster.vendors.base.component import VendorComponent
from orgdata_dagster.vendors.base.stream import Step, Stream, target
from orgdata_dagster.vendors.institution_analytics.pulling import pull_day
from orgdata_dagster.vendors.institution_analytics.resource import InstitutionAnalyticsApi, InstitutionAnalyticsResource

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


class InstitutionAnalytics(VendorComponent):
    """An institution's analytics exports (CSV) as daily partitioned tables."""

    kind: ClassVar[str] = InstitutionAnalyticsResource.kind

    start_date: StartDate = Field(description="First day to pull, YYYY-MM-DD (UTC).")
    tables: list[DataSetTable] = Field(min_length=1, description="The tables to pull, one per data set.")
    cron: Cron | None = Field(default="15 */4 * * *", description="Cron of the schedule (UTC); null: no schedule.")
    limits: Limits = Field(default=Limits(), description="Rate limit. The vendor documents none; null: no bound.")
    retries: Retries = Field(default=Retries(), description="Retries of a request.")
    api: InstitutionAnalyticsApi = Field(
        default=InstitutionAnalyticsApi(), description="Names that the vendor's document leaves open."
    )
    lookback: Duration = Field(
        default="10s",
        description="Rows younger than this, by the vendor's clock, are pulled again by the next pull.",
    )

    def resource(self) -> InstitutionAnalyticsResource:
        """The resource with the limits, retries and names of the YAML."""
        return InstitutionAnalyticsResource.from_variables(
            account=self.name or "",
            limits=self.limits,
            retries=self.retries,
            api=self.api,
            probe_data_set=self.tables[0].vendor_name,
        )

    def stream(self, table: DataSetTable) -> Stream:
        """The stream of a data set, by day."""
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
            workers=step.at_once,
        )
