"""What a user writes in `defs/institution_analytics/defs.yaml`, checked and documented.

Here: the YAML's fields and their defaults. Keep out: everything that happens with them (assets.py, resource.py).
"""

from __future__ import annotations

import dagster as dg
from pydantic import ConfigDict, Field, model_validator

from orgdata_dagster.orchestration.automation.schedules import due_schedules
from orgdata_dagster.orchestration.config.cron import Cron
from orgdata_dagster.orchestration.config.limits import Limits, Retries
from orgdata_dagster.orchestration.config.tables import Day, Name, TableModel
from orgdata_dagster.vendors.institution_analytics.assets import DataSet, build_asset
from orgdata_dagster.vendors.institution_analytics.client import Endpoint, Precision
from orgdata_dagster.vendors.institution_analytics.resource import InstitutionAnalyticsResource


class DataSetModel(TableModel):
    """One data set: one asset, one table."""

    name: Name = Field(
        description="The table's name, and the vendor's name of the data set unless `data_set` says else."
    )
    data_set: str | None = Field(default=None, description="The vendor's name, where it is no good table name.")
    key: list[str] = Field(
        default=[], description="Columns that identify a row; with it comes the view `<name>_current`."
    )


class ApiModel(dg.Model, dg.Resolvable):
    """What the vendor's document leaves open."""

    model_config = ConfigDict(extra="forbid")

    path: str = Field(default=Endpoint.path, description="Path behind INSTITUTION_ANALYTICS_BASE_URL.")
    api_key_header: str = Field(default="api-key", description="Header that carries INSTITUTION_ANALYTICS_API_KEY.")
    cursor_column: str = Field(default="updated_date", description="Column with the instant of a row's last update.")
    data_set_parameter: str = Field(default=Endpoint.data_set_parameter)
    after_parameter: str = Field(default=Endpoint.after_parameter)
    before_parameter: str = Field(default=Endpoint.before_parameter)
    precision: Precision = Field(
        default=Endpoint.precision, description="Finest fraction that the timestamps may have."
    )
    page_rows: int = Field(default=Endpoint.page_rows, ge=2, description="The documented page size; paging ignores it.")


class InstitutionAnalytics(dg.Component, dg.Model, dg.Resolvable):
    """An institution's analytics exports (CSV) as daily partitioned tables."""

    model_config = ConfigDict(extra="forbid")

    start_date: Day = Field(description="First day to have, YYYY-MM-DD (UTC).")
    cron: Cron | None = Field(
        default="15 */4 * * *", description="When to pull what is due (UTC); null: never by itself."
    )
    limits: Limits = Field(default=Limits(), description="None is documented: a polite default; null switches one off.")
    retries: Retries = Field(default=Retries(), description="How stubbornly one request is tried.")
    api: ApiModel = Field(default=ApiModel(), description="Names that the vendor's document leaves open.")
    settle_seconds: float = Field(
        default=10, ge=0, description="Rows younger than this, by the vendor's clock, are asked for again next time."
    )
    data_sets: list[DataSetModel] = Field(min_length=1, description="The tables to have.")

    @model_validator(mode="after")
    def _unique_names(self) -> InstitutionAnalytics:
        names = [data_set.name for data_set in self.data_sets]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"data_sets: {', '.join(twice)} named more than once")
        return self

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """The assets, their resource and their schedule."""
        vendor = InstitutionAnalyticsResource.vendor
        api = self.api.model_dump()
        resource = InstitutionAnalyticsResource.from_variables(
            **self.limits.model_dump(),
            **self.retries.fields(),
            **api,
            probe_data_set=self.data_sets[0].data_set or self.data_sets[0].name,
        )
        assets = [
            build_asset(
                DataSet(
                    name=data_set.name,
                    vendor_name=data_set.data_set or data_set.name,
                    key=tuple(data_set.key),
                    **data_set.settings(self.cron),
                ),
                start_date=self.start_date,
                cursor_column=self.api.cursor_column,
                settle_seconds=self.settle_seconds,
            )
            for data_set in self.data_sets
        ]
        schedules = due_schedules(vendor, self.cron, assets) if self.cron else []
        return dg.Definitions(assets=assets, resources={vendor: resource}, schedules=schedules)
