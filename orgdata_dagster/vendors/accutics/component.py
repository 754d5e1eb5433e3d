"""What a user writes in `defs/accutics/defs.yaml`, checked and documented.

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
from orgdata_dagster.vendors.accutics.assets import Entity, build_asset
from orgdata_dagster.vendors.accutics.client import Listing
from orgdata_dagster.vendors.accutics.resource import AccuticsResource
from orgdata_dagster.vendors.accutics.search import Kind, parse

Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Path = Annotated[str, Field(pattern=r"^/[^?#\s]+$")]


class EntityModel(dg.Model, dg.Resolvable):
    """One entity: one asset, one table."""

    model_config = ConfigDict(extra="forbid")

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
    columns: dict[str, str] = Field(
        default={}, description="Column: DuckDB type. Left out, a type is found that loses nothing."
    )
    column_descriptions: dict[str, str] = Field(default={}, description="Column: what it means.")
    contract: Literal["evolve", "freeze"] = Field(
        default="evolve",
        description="freeze: a new or changed column fails the pull instead of changing the table.",
    )
    description: str = Field(default="", description="Shown in the UI and as the table's comment.")
    owners: list[str] = Field(default=[], description="E-mail addresses, or teams as `team:name`.")

    @field_validator("columns")
    @classmethod
    def _known_types(cls, columns: dict[str, str]) -> dict[str, str]:
        return checked_types(columns)

    @model_validator(mode="after")
    def _can_be_said(self) -> EntityModel:
        parse(self.search, self.dimensions)
        if self.paging == "cursor" and self.sort:
            raise ValueError("sort: a list that pages by cursor has its own order")
        return self

    def entity(self) -> Entity:
        """The same for the factory."""
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
            columns=self.columns,
            contract=self.contract,
            description=self.description,
            column_descriptions=self.column_descriptions,
            owners=tuple(self.owners),
        )


class Accutics(dg.Component, dg.Model, dg.Resolvable):
    """Entities of accutics as tables that are kept equal to them."""

    model_config = ConfigDict(extra="forbid")

    start_date: str = Field(description="First day to have, YYYY-MM-DD (UTC).")
    entities: list[EntityModel] = Field(min_length=1, description="The tables to have.")
    cron: Cron | None = Field(
        default="45 */4 * * *", description="When to pull what is due (UTC); null: never by itself."
    )
    limits: Limits = Field(default=Limits(), description="None is documented: a polite default; null switches one off.")
    retries: Retries = Field(default=Retries(), description="How stubbornly one request is tried.")
    settle_seconds: float = Field(
        default=10, ge=0, description="Rows younger than this, by the vendor's clock, are asked for again next time."
    )

    @field_validator("start_date")
    @classmethod
    def _is_a_day(cls, value: str) -> str:
        try:
            return date.fromisoformat(value).isoformat()
        except ValueError:
            raise ValueError(f"{value!r} is not a day; write YYYY-MM-DD") from None

    @model_validator(mode="after")
    def _unique_names(self) -> Accutics:
        names = [entity.name.lower() for entity in self.entities]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"entities: {', '.join(twice)} named more than once")
        return self

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """The assets, their resource and their schedules."""
        vendor = AccuticsResource.vendor
        retries = {f"retry_{name}": value for name, value in self.retries.model_dump().items()}
        resource = AccuticsResource.from_variables(**self.limits.model_dump(), **retries)
        assets = [
            build_asset(model.entity(), start_date=self.start_date, settle_seconds=self.settle_seconds)
            for model in self.entities
        ]
        schedules: list[dg.ScheduleDefinition] = []
        if self.cron:
            in_days = [asset for asset in assets if asset.partitions_def]
            schedules += [due_days_schedule(vendor, self.cron, in_days)] if in_days else []
            schedules += [_whole_schedule(asset, self.cron) for asset in assets if not asset.partitions_def]
        return dg.Definitions(assets=assets, resources={vendor: resource}, schedules=schedules)


def _whole_schedule(asset: dg.AssetsDefinition, cron: str) -> dg.ScheduleDefinition:
    """For an entity that is compared as a whole."""
    name = "_".join(asset.key.path)
    return dg.ScheduleDefinition(
        name=f"{name}_due",
        cron_schedule=cron,
        execution_timezone="UTC",
        target=dg.AssetSelection.assets(asset.key),
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Pulls all of {asset.key.to_user_string()}.",
    )
