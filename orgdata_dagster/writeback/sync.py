"""A sync: the source of its rows, and their destination.

Here: `Sync`, created from the YAML. Keep out: checking the YAML (component.py), running it (asset.py).
"""

from __future__ import annotations

from dataclasses import dataclass

import dagster as dg

from orgdata_dagster.warehouse.names import TableName
from orgdata_dagster.writeback.destination import Destination


@dataclass(frozen=True)
class Sync:
    """A source and its destination.

    name: unique in the project; accepted rows are recorded under this name.
    ending: suffix of the asset's name.
    source: a table of the warehouse or a SELECT.
    dry_run: whether nothing is sent.
    max_rejected: the share of the source's rows, from 0 to 1, that may be rejected before the delivery stops.
    """

    name: str
    ending: str
    source: str
    destination: Destination
    dry_run: bool
    max_rejected: float
    description: str
    owners: tuple[str, ...] = ()
    automation: dg.AutomationCondition | None = None

    @property
    def asset_key(self) -> dg.AssetKey:
        """The asset that writes."""
        return dg.AssetKey([self.destination.vendor, f"{self.name}_{self.ending}"])

    @property
    def results(self) -> TableName:
        """The table with the result of every row."""
        return results_table(self.destination.vendor, self.name)


def results_table(vendor: str, name: str) -> TableName:
    """The table with the results of a sync."""
    return TableName(vendor, f"{name}_results")
