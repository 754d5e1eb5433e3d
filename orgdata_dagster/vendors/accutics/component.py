"""What a user writes in `defs/accutics/defs.yaml`, checked and documented.

Here: the YAML's fields and their defaults. Keep out: everything that happens with them (assets.py, resource.py).
"""

from __future__ import annotations

from typing import Annotated, Literal

import dagster as dg
from pydantic import ConfigDict, Field, model_validator

from orgdata_dagster.orchestration.automation.change_sensor import Look, changes_sensor
from orgdata_dagster.orchestration.automation.gaps import Coverage
from orgdata_dagster.orchestration.automation.schedules import asset_schedule, due_schedules
from orgdata_dagster.orchestration.config.cron import Cron
from orgdata_dagster.orchestration.config.limits import Limits, Retries
from orgdata_dagster.orchestration.config.tables import Day, Name, TableModel
from orgdata_dagster.vendors.accutics.assets import Entity, build_asset
from orgdata_dagster.vendors.accutics.client import AccuticsClient, Listing
from orgdata_dagster.vendors.accutics.probing import newest
from orgdata_dagster.vendors.accutics.reconciling import build_check
from orgdata_dagster.vendors.accutics.resource import AccuticsResource
from orgdata_dagster.vendors.accutics.search import Kind, parse

Path = Annotated[str, Field(pattern=r"^/[^?#\s]+$")]


class EntityModel(TableModel):
    """One entity: one asset, one table."""

    name: Name = Field(description="The table's name.")
    path: Path = Field(description="Path of the list behind ACCUTICS_BASE_URL.")
    paging: Literal["page", "cursor"] = Field(description="Which of the two pagings the list has.")
    page_size: int = Field(default=500, ge=1, description="Rows a page at most; the vendor cuts it to its own maximum.")
    key: list[str] = Field(min_length=1, description="Columns that identify a row.")
    cursor_column: str | None = Field(
        default=None,
        description="Column with the instant of a row's last change, by which the list can be searched; with it the "
        "table comes in days, without it as a whole at every pull.",
    )
    search: str = Field(default="", description="More conditions, as `match_status:eq:synced;author:exists`.")
    dimensions: dict[str, Kind] = Field(
        default={}, description="What the dimensions of `search` are; their operators are checked against it."
    )
    sort: str = Field(
        default="",
        description="Order of the list. `-<cursor_column>`, where the vendor knows it, finds every row in one walk "
        "although rows change meanwhile.",
    )

    @model_validator(mode="after")
    def _can_be_said(self) -> EntityModel:
        parse(self.search, self.dimensions)
        if self.paging == "cursor" and self.sort:
            raise ValueError("sort: a list that pages by cursor has its own order")
        return self

    def entity(self, cron: str | None = None) -> Entity:
        """The same for the factory; `cron` is the vendor's."""
        return Entity(
            name=self.name,
            listing=Listing(
                path=self.path,
                paging=self.paging,
                key=tuple(self.key),
                page_size=self.page_size,
                cursor_column=self.cursor_column,
                conditions=parse(self.search, self.dimensions),
                sort=self.sort,
            ),
            **self.settings(cron),
        )


class Accutics(dg.Component, dg.Model, dg.Resolvable):
    """Entities of accutics as tables that are kept equal to them."""

    model_config = ConfigDict(extra="forbid")

    start_date: Day = Field(description="First day to have, YYYY-MM-DD (UTC).")
    entities: list[EntityModel] = Field(min_length=1, description="The tables to have.")
    cron: Cron | None = Field(
        default="45 */4 * * *", description="When to pull what is due (UTC); null: never by itself."
    )
    limits: Limits = Field(default=Limits(), description="None is documented: a polite default; null switches one off.")
    retries: Retries = Field(default=Retries(), description="How stubbornly one request is tried.")
    settle_seconds: float = Field(
        default=10, ge=0, description="Rows younger than this, by the vendor's clock, are asked for again next time."
    )

    @model_validator(mode="after")
    def _unique_names(self) -> Accutics:
        names = [entity.name.lower() for entity in self.entities]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"entities: {', '.join(twice)} named more than once")
        return self

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """The assets, their resource and their schedules."""
        vendor = AccuticsResource.vendor
        limits = self.limits.model_dump()
        resource = AccuticsResource.from_variables(**limits, **self.retries.fields(), probe_path=self.entities[0].path)
        assets = [
            build_asset(model.entity(self.cron), start_date=self.start_date, settle_seconds=self.settle_seconds)
            for model in self.entities
        ]
        schedules: list[dg.ScheduleDefinition] = []
        if self.cron:
            in_days = [asset for asset in assets if asset.partitions_def]
            schedules += due_schedules(vendor, self.cron, in_days)
            schedules += [
                asset_schedule(asset, self.cron, f"Pulls all of {asset.key.to_user_string()}.")
                for asset in assets
                if not asset.partitions_def
            ]
        sensor = changes_sensor(
            AccuticsResource,
            limits,
            {asset.key: _look(model.entity()) for asset, model in zip(assets, self.entities, strict=True)},
            {asset.key: asset for asset in assets},
            AccuticsResource.client,
        )
        checks = [
            build_check(asset, model.entity().listing, self.start_date)
            for asset, model in zip(assets, self.entities, strict=True)
            if model.paging == "page"
        ]
        return dg.Definitions(
            assets=assets, asset_checks=checks, resources={vendor: resource}, schedules=schedules, sensors=[sensor]
        )


def _look(entity: Entity) -> Look[AccuticsClient]:
    def look(client: AccuticsClient, known: Coverage) -> str:
        complete = [part.end for parts in known.values() for part in parts if part.complete]
        return newest(client, entity.listing, max(complete, default=None))

    return look
