"""What a user writes in `defs/octolis/defs.yaml`, checked and documented.

Here: the YAML's fields and their defaults. Keep out: everything that happens with them (assets.py, resource.py).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import dagster as dg
from pydantic import ConfigDict, Field, field_validator, model_validator

from orgdata_dagster.orchestration.automation.change_sensor import Look, changes_sensor
from orgdata_dagster.orchestration.automation.schedules import asset_schedule
from orgdata_dagster.orchestration.config.cron import Cron
from orgdata_dagster.orchestration.config.limits import Retries
from orgdata_dagster.orchestration.config.tables import Name, TableModel
from orgdata_dagster.vendors.octolis import client as api
from orgdata_dagster.vendors.octolis.assets import DataSet, build_asset
from orgdata_dagster.vendors.octolis.probing import newest
from orgdata_dagster.vendors.octolis.pulling import Manner
from orgdata_dagster.vendors.octolis.resource import OctolisResource, shared_resource
from orgdata_dagster.vendors.octolis.walk import MAX_PAGE_SIZE

Column = Annotated[str, Field(pattern=r"^[^,:]+$")]  # what the vendor's `selection` and `filter` can say


class OctolisLimits(dg.Model, dg.Resolvable):
    """The document's limits. A read costs 1 point, a write 10."""

    model_config = ConfigDict(extra="forbid")

    points_per_second: float = Field(default=api.POINTS_PER_SECOND, ge=10, description="Of an API key.")
    points_per_minute: float = Field(
        default=api.POINTS_PER_MINUTE, ge=10, description="Of an API key, for what the second's have no room for."
    )
    account_points_per_minute: float = Field(
        default=api.ACCOUNT_POINTS_PER_MINUTE, ge=10, description="Of all keys of the account together."
    )


class DatasetModel(TableModel):
    """One dataset: one asset, one table."""

    name: Name = Field(description="The table's name.")
    id: str = Field(min_length=1, description="The dataset's id in octolis.")
    key: list[Column] = Field(default=[], description="The columns by which octolis deduplicates, to be shown.")
    filter: str = Field(
        default="",
        description="Only these records: `column:value,column:value`. Several values of a column are alternatives, "
        "columns must all match; a value cannot hold a comma.",
    )
    selection: list[Column] = Field(
        default=[], description="Only these columns; those that a pull needs are added. Left out: all."
    )
    cron: Cron | None = Field(default=None, description="When to pull this dataset (UTC), if not at the vendor's cron.")

    @field_validator("filter")
    @classmethod
    def _can_be_said(cls, value: str) -> str:
        api.parsed_filter(value)
        return value

    def data_set(self, cron: str | None = None) -> DataSet:
        """The same for the factory; `cron` is the vendor's."""
        return DataSet(
            name=self.name,
            query=api.Query(self.id, api.parsed_filter(self.filter), tuple(self.selection)),
            key=tuple(self.key),
            **self.settings(self.cron or cron),
        )


class Octolis(dg.Component, dg.Model, dg.Resolvable):
    """Datasets of octolis as tables that are kept equal to them."""

    model_config = ConfigDict(extra="forbid")

    datasets: list[DatasetModel] = Field(min_length=1, description="The tables to have.")
    cron: Cron | None = Field(
        default="20 * * * *", description="When to pull the datasets without a cron of their own (UTC); null: never."
    )
    limits: OctolisLimits = Field(default=OctolisLimits(), description="octolis' own; others for a test server only.")
    retries: Retries = Field(default=Retries(), description="How stubbornly one request is tried.")
    page_size: int = Field(default=MAX_PAGE_SIZE, ge=1_000, le=MAX_PAGE_SIZE, description="Records a request at most.")
    settle_seconds: float = Field(
        default=60,
        ge=0,
        description="So long after its __modified_at__ a record may become visible: what is younger at the time of a "
        "pull is asked for again by the next one.",
    )
    walk_hours: float | None = Field(
        default=24,
        ge=0,
        description="After so many hours everything is read again, because a SQL dataset may change records without a "
        "new __modified_at__; 0: at every pull, null: only where the counts differ.",
    )

    @model_validator(mode="after")
    def _unique_names(self) -> Octolis:
        names = [data_set.name.lower() for data_set in self.datasets]
        names += [f"{name}_merges" for name in names]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"datasets: {', '.join(twice)} would be more than one table")
        return self

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """The assets, their resource, their schedules and their sensor."""
        resource = resource_for(self.limits, self.retries, self.datasets[0].id)
        walk_every = None if self.walk_hours is None else timedelta(hours=self.walk_hours)
        manner = Manner(timedelta(seconds=self.settle_seconds), walk_every, self.page_size)
        assets = [build_asset(model.data_set(self.cron), manner) for model in self.datasets]
        schedules = [
            asset_schedule(asset, cron, f"Pulls what changed in {asset.key.to_user_string()}.")
            for asset, model in zip(assets, self.datasets, strict=True)
            if (cron := model.cron or self.cron)
        ]
        sensor = changes_sensor(
            OctolisResource,
            self.limits.model_dump(),
            {asset.key: _look(model.data_set()) for asset, model in zip(assets, self.datasets, strict=True)},
            {asset.key: asset for asset in assets},
            OctolisResource.client,
        )
        return dg.Definitions(
            assets=assets, resources={OctolisResource.vendor: resource}, schedules=schedules, sensors=[sensor]
        )


def _look(data_set: DataSet) -> Look[api.OctolisClient]:
    return lambda client, _coverage: newest(client, data_set.query)


def resource_for(limits: OctolisLimits, retries: Retries, dataset: str) -> OctolisResource:
    """The resource that a person configured, the same for every Component that says the same.

    `dataset`: the id of one to count when asked whether octolis answers ("": there is none).
    """
    return shared_resource(**limits.model_dump(), **retries.fields(), probe_dataset=dataset)
