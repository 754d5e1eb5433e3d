"""What a user writes in YAML to have rows of the warehouse written to a vendor: the fields that every kind shares.

Here: `Writing`. Keep out: one destination's own fields (vendors/), everything that happens with them (asset.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar

import dagster as dg
from pydantic import ConfigDict, Field, field_validator

from orgdata_dagster.orchestration.automation.conditions import upstream_landed
from orgdata_dagster.orchestration.automation.schedules import asset_schedule
from orgdata_dagster.orchestration.config.cron import Cron
from orgdata_dagster.orchestration.config.limits import Retries
from orgdata_dagster.orchestration.config.tables import Claim, Name
from orgdata_dagster.vendors.octolis.component import Octolis, OctolisLimits, resource_for
from orgdata_dagster.vendors.octolis.resource import OctolisResource
from orgdata_dagster.warehouse.names import TableName
from orgdata_dagster.writeback import source
from orgdata_dagster.writeback.asset import Job, build_asset

Text = Annotated[str, Field(min_length=1)]


class Writing(dg.Component, dg.Model, dg.Resolvable):
    """What every Component that writes to octolis has."""

    model_config = ConfigDict(extra="forbid")

    name: Name = Field(description="Names the asset and the table of results.")
    source: Text = Field(description="A table of the warehouse, or a SELECT on it.")
    dry_run: bool = Field(default=True, description="Send nothing, only show what would go. Say false to begin.")
    max_rejected: float = Field(
        default=0.1, ge=0, le=1, description="Stop when more than this share of the source's rows is rejected."
    )
    cron: Cron | None = Field(default=None, description="When to send what changed (UTC); null: not by the clock.")
    on_update: bool = Field(default=False, description="Send what changed whenever a table of the source is updated.")
    limits: OctolisLimits | None = Field(
        default=None, description="octolis' own, or those of `Octolis` in this project; others for a test server only."
    )
    retries: Retries | None = Field(default=None, description="How stubbornly one request is tried; likewise.")
    description: str = Field(default="", description="Shown in the UI.")
    owners: list[str] = Field(default=[], description="E-mail addresses, or teams as `team:name`.")

    @field_validator("source")
    @classmethod
    def _one_select(cls, value: str) -> str:
        source.tables(value)
        return value

    ending: ClassVar[str]

    def job(self, datasets: Mapping[str, str]) -> Job:
        """What is to be done. `datasets`: those that the project reads, name and id."""
        raise NotImplementedError

    def claims(self) -> Iterator[Claim]:
        """The names of its results and of its asset."""
        for what, ending in (("the table of results", "results"), ("the asset", self.ending)):
            table = TableName(OctolisResource.vendor, f"{self.name}_{ending}")
            yield Claim(table, f"{what} of {self.name!r},", ("name",))

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """The asset, its resource and its schedule. The sensor `downstream` heeds the condition of `on_update`."""
        readers = context.component_tree.get_all_components(Octolis)
        job = self.job({data_set.name: data_set.id for reader in readers for data_set in reader.tables})
        limits = self.limits or (readers[0].limits if readers else OctolisLimits())
        retries = self.retries or (readers[0].retries if readers else Retries())
        counted = readers[0].tables[0].id if readers else self.writes_to
        asset = build_asset(job)
        about = f"Sends what changed for {job.asset_key.to_user_string()}."
        return dg.Definitions(
            assets=[asset],
            resources={OctolisResource.vendor: resource_for(limits, retries, counted)},
            schedules=[asset_schedule(asset, self.cron, about)] if self.cron else [],
        )

    @property
    def writes_to(self) -> str:
        """The id of the dataset it writes to, "" where it is none."""
        return ""

    @property
    def automation(self) -> dg.AutomationCondition | None:
        """When Dagster is to start it by itself."""
        return upstream_landed() & ~dg.AutomationCondition.in_progress() if self.on_update else None
