"""YAML options shared by all syncs.

Here: `SyncComponent`, the base of every Component that writes. Add here: an option that makes sense for every
destination. Keep out: options of one destination (its vendor's folder), the effect of the options (asset.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar

import dagster as dg
from pydantic import ConfigDict, Field, field_validator

from orgdata_dagster.orchestration.automation.conditions import upstream_landed
from orgdata_dagster.orchestration.automation.schedules import asset_schedule
from orgdata_dagster.orchestration.config.cron import Cron
from orgdata_dagster.orchestration.config.tables import Claim, Name, Owner
from orgdata_dagster.orchestration.config.verbatim import Verbatim
from orgdata_dagster.orchestration.resources import VendorResource
from orgdata_dagster.warehouse.names import TableName
from orgdata_dagster.writeback import source
from orgdata_dagster.writeback.asset import build_asset
from orgdata_dagster.writeback.destination import Destination
from orgdata_dagster.writeback.sync import Sync, results_table

Text = Annotated[str, Field(min_length=1)]


class SyncComponent(Verbatim, dg.Component, dg.Model, dg.Resolvable):
    """Writes rows of the warehouse to one destination. A subclass has the destination's options and `connected`."""

    model_config = ConfigDict(extra="forbid")

    name: Name = Field(description="Names the asset and the table of results.")
    source: Text = Field(description="A table of the warehouse, or a SELECT on it.")
    dry_run: bool = Field(default=True, description="Only show what would be sent. Write `false` to send it.")
    max_rejected: float = Field(
        default=0.1, ge=0, le=1, description="Stop when more than this share of the source's rows is rejected."
    )
    cron: Cron | None = Field(default=None, description="When to send what changed (UTC); null: no schedule.")
    on_update: bool = Field(default=False, description="Send what changed whenever a table of the source is updated.")
    description: str = Field(default="", description="Shown in the UI.")
    owners: list[Owner] = Field(default=[], description="E-mail addresses, or teams as `team:name`.")

    ending: ClassVar[str]  # suffix of the asset's name

    @field_validator("source")
    @classmethod
    def _one_select(cls, value: str) -> str:
        source.tables(value)
        return value

    @property
    def vendor(self) -> str:
        """The name of the vendor, or of its account, to which the sync writes."""
        raise NotImplementedError

    def connected(self, context: dg.ComponentLoadContext) -> tuple[Destination, object]:
        """The destination, and its resource."""
        raise NotImplementedError

    @property
    def summary(self) -> str:
        """The description in the UI if the YAML has none."""
        raise NotImplementedError

    def sync(self, destination: Destination) -> Sync:
        """The sync that the YAML describes."""
        return Sync(
            name=self.name,
            ending=self.ending,
            source=self.source,
            destination=destination,
            dry_run=self.dry_run,
            max_rejected=self.max_rejected,
            description=self.description or self.summary,
            owners=tuple(self.owners),
            automation=self._automation(),
        )

    def claims(self) -> Iterator[Claim]:
        """The names that the sync uses: its table of results, its asset, and its own name, unique in a project."""
        yield Claim(results_table(self.vendor, self.name), f"the table of results of {self.name!r},", ("name",))
        asset = TableName(self.vendor, f"{self.name}_{self.ending}")
        yield Claim(asset, f"the asset of {self.name!r},", ("name",))
        yield Claim(TableName("syncs", self.name), "the sync", ("name",))

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """The asset, its resource and its schedule. The sensor `downstream` evaluates the condition of `on_update`."""
        destination, resource = self.connected(context)
        asset = build_asset(self.sync(destination))
        vendor = resource if isinstance(resource, VendorResource) else None
        about = f"Sends what changed for {asset.key.to_user_string()}."
        return dg.Definitions(
            assets=[asset],
            resources={destination.resource: resource},
            schedules=[asset_schedule(asset, vendor, self.cron, about)] if self.cron else [],
        )

    def _automation(self) -> dg.AutomationCondition | None:
        return upstream_landed() & ~dg.AutomationCondition.in_progress() if self.on_update else None
