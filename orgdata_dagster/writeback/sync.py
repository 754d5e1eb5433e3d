"""YAML options shared by all syncs, and the names that follow from them.

Here: `SyncOptions`. Add here: an option that makes sense for every destination. Keep out: options of one destination
(its vendor's folder), the definitions made from them (component.py), running a sync (asset.py).
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import dagster as dg
from pydantic import Field, field_validator

from orgdata_dagster.orchestration.config.cron import Cron
from orgdata_dagster.orchestration.config.table_options import Name, Owner
from orgdata_dagster.warehouse.names import TableName
from orgdata_dagster.writeback import source

Text = Annotated[str, Field(min_length=1)]


class SyncOptions(dg.Model):
    """The options of every sync. Accepted rows are recorded under `name`, which is unique in a project."""

    name: Name = Field(description="Name of the sync, after which its asset and its table of results are named.")
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

    @property
    def summary(self) -> str:
        """The description in the UI if the YAML has none."""
        raise NotImplementedError

    @property
    def asset_key(self) -> dg.AssetKey:
        """The asset that writes."""
        return dg.AssetKey([self.vendor, f"{self.name}_{self.ending}"])

    @property
    def results(self) -> TableName:
        """The table with the result of every row."""
        return TableName(self.vendor, f"{self.name}_results")
