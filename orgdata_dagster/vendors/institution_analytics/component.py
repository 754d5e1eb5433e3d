"""What a user writes in `defs/institution_analytics/defs.yaml`, checked and documented.

Here: the YAML's fields and their defaults. Keep out: everything that happens with them (assets.py, resource.py).
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

import dagster as dg
from pydantic import ConfigDict, Field, field_validator, model_validator

from orgdata_dagster.orchestration.column_types import checked_types
from orgdata_dagster.orchestration.cron import Cron
from orgdata_dagster.orchestration.limits import Limits, Retries
from orgdata_dagster.orchestration.schedules import due_days_schedule
from orgdata_dagster.vendors.institution_analytics.assets import DataSet, build_asset
from orgdata_dagster.vendors.institution_analytics.client import Endpoint, Precision
from orgdata_dagster.vendors.institution_analytics.resource import InstitutionAnalyticsResource

Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class DataSetModel(dg.Model, dg.Resolvable):
    """One data set: one asset, one table."""

    model_config = ConfigDict(extra="forbid")

    name: Name = Field(
        description="The table's name, and the vendor's name of the data set unless `data_set` says else."
    )
    data_set: str | None = Field(default=None, description="The vendor's name, where it is no good table name.")
    key: list[str] = Field(
        default=[], description="Columns that identify a row; with it comes the view `<name>_current`."
    )
    columns: dict[str, str] = Field(
        default={}, description="Column: DuckDB type. Left out, a type is found that loses nothing."
    )
    column_descriptions: dict[str, str] = Field(default={}, description="Column: what it means.")
    contract: Literal["evolve", "freeze"] = Field(
        default="evolve",
        description="freeze: a new or changed column fails the partition instead of changing the table.",
    )
    description: str = Field(default="", description="Shown in the UI and as the table's comment.")
    owners: list[str] = Field(default=[], description="E-mail addresses, or teams as `team:name`.")

    @field_validator("columns")
    @classmethod
    def _known_types(cls, columns: dict[str, str]) -> dict[str, str]:
        return checked_types(columns)


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

    start_date: str = Field(description="First day to have, YYYY-MM-DD (UTC).")
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

    @field_validator("start_date")
    @classmethod
    def _is_a_day(cls, value: str) -> str:
        try:
            return date.fromisoformat(value).isoformat()
        except ValueError:
            raise ValueError(f"{value!r} is not a day; write YYYY-MM-DD") from None

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
        retries = {f"retry_{name}": value for name, value in self.retries.model_dump().items()}
        resource = InstitutionAnalyticsResource.from_variables(**self.limits.model_dump(), **retries, **api)
        assets = [
            build_asset(
                DataSet(
                    name=data_set.name,
                    vendor_name=data_set.data_set or data_set.name,
                    key=tuple(data_set.key),
                    columns=data_set.columns,
                    contract=data_set.contract,
                    description=data_set.description,
                    column_descriptions=data_set.column_descriptions,
                    owners=tuple(data_set.owners),
                ),
                start_date=self.start_date,
                cursor_column=self.api.cursor_column,
                settle_seconds=self.settle_seconds,
            )
            for data_set in self.data_sets
        ]
        schedules = [due_days_schedule(vendor, self.cron, assets)] if self.cron else []
        return dg.Definitions(assets=assets, resources={vendor: resource}, schedules=schedules)
