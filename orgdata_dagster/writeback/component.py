"""The base of every Component that writes: the definitions made from a sync's options.

Here: `SyncComponent`. Keep out: the options (sync.py), options of one destination (its vendor's folder), running a sync
(asset.py).
"""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
from pydantic import ConfigDict

from orgdata_dagster.orchestration.automation.schedules import asset_schedule
from orgdata_dagster.orchestration.config.table_options import Claim
from orgdata_dagster.orchestration.config.verbatim import Verbatim
from orgdata_dagster.orchestration.resources import VendorResource
from orgdata_dagster.warehouse.names import TableName
from orgdata_dagster.writeback.asset import build_asset
from orgdata_dagster.writeback.destination import Destination
from orgdata_dagster.writeback.sync import SyncOptions


class SyncComponent(Verbatim, dg.Component, SyncOptions, dg.Resolvable):
    """Writes rows of the warehouse to one destination. A subclass has the destination's options and `connected`."""

    model_config = ConfigDict(extra="forbid")

    def connected(self, context: dg.ComponentLoadContext) -> tuple[Destination, object]:
        """The destination, and its resource."""
        raise NotImplementedError

    def claims(self) -> Iterator[Claim]:
        """The names that the sync uses: its table of results, its asset, and its own name, unique in a project."""
        yield Claim(self.results, f"the table of results of {self.name!r},", ("name",))
        yield Claim(TableName(*self.asset_key.path), f"the asset of {self.name!r},", ("name",))
        yield Claim(TableName("syncs", self.name), "the sync", ("name",))

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """The asset, its resource and its schedule. The sensor `downstream` evaluates the condition of `on_update`."""
        destination, resource = self.connected(context)
        asset = build_asset(self, destination)
        vendor = resource if isinstance(resource, VendorResource) else None
        about = f"Sends what changed for {asset.key.to_user_string()}."
        return dg.Definitions(
            assets=[asset],
            resources={destination.resource: resource},
            schedules=[asset_schedule(asset, vendor, self.cron, about)] if self.cron else [],
        )
