"""The YAML of `type: orgdata_dagster.OctolisSync`, and the options of every Component that writes to octolis.

Here: the options.
Keep out: options of every sync (writeback/component.py), the destinations made from them (dataset.py, webhook.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Self

import dagster as dg
from pydantic import Field, model_validator

from orgdata_dagster.orchestration.config.request_options import Retries
from orgdata_dagster.orchestration.config.table_options import Name
from orgdata_dagster.vendors.octolis.client import MASTERID
from orgdata_dagster.vendors.octolis.component import Octolis
from orgdata_dagster.vendors.octolis.resource import OctolisLimits, OctolisResource, resource_for
from orgdata_dagster.vendors.octolis.sync.dataset import OctolisDataset
from orgdata_dagster.vendors.octolis.sync.validation import Type
from orgdata_dagster.vendors.octolis.writing import MAX_BATCH, Mode
from orgdata_dagster.warehouse.names import TableName
from orgdata_dagster.writeback.columns import ColumnMapping
from orgdata_dagster.writeback.component import SyncComponent
from orgdata_dagster.writeback.destination import Destination
from orgdata_dagster.writeback.sync import Text


class OctolisWriteback(SyncComponent):
    """The options of every Component that writes to octolis."""

    account: Name | None = Field(
        default=None, description="The account to write to: its `name` in `Octolis`. Default: the one without a name."
    )
    limits: OctolisLimits | None = Field(
        default=None,
        description="Default: those of `Octolis` in this project, or octolis' own. Set it only for a test server.",
    )
    retries: Retries | None = Field(
        default=None, description="Retries of a request. Default: those of `Octolis` in this project."
    )

    @property
    def vendor(self) -> str:
        """The name of the account's schema, group, pool and resource."""
        return self.account or OctolisResource.kind

    def destination(self, datasets: Mapping[str, str]) -> Destination:
        """The destination. `datasets`: name -> id of the datasets that the project reads."""
        raise NotImplementedError

    def connected(self, context: dg.ComponentLoadContext) -> tuple[Destination, object]:
        """The destination and octolis' resource, by default with the limits and retries of the Component that reads."""
        readers = [each for each in context.component_tree.get_all_components(Octolis) if each.account == self.vendor]
        limits = self.limits or (readers[0].limits if readers else OctolisLimits())
        retries = self.retries or (readers[0].retries if readers else Retries())
        counted = readers[0].tables[0].id if readers else self.writes_to
        destination = self.destination({table.name: table.id for reader in readers for table in reader.tables})
        return destination, resource_for(limits, retries, counted, self.account or "")

    @property
    def writes_to(self) -> str:
        """The id of the dataset that it writes to; empty for a webhook."""
        return ""


class OctolisSync(OctolisWriteback):
    """Keeps a dataset of octolis equal to a table, or to a SELECT, of the warehouse."""

    ending: ClassVar[str] = "sync"

    dataset: Text = Field(description="The dataset's name in `type: orgdata_dagster.Octolis`, or its id in octolis.")
    mode: Mode = Field(
        default="upsert", description=f"upsert: create or update by the key; update: only by {MASTERID}."
    )
    key: list[Text] = Field(
        default=[], description="All deduplication columns of the dataset; not needed for an update."
    )
    mapping: dict[str, Text] = Field(
        default={}, description="Column of the source: column of the dataset. All other columns keep their names."
    )
    types: dict[str, Type] = Field(
        default={}, description="Column of the dataset: its type in octolis, if the source's type is ambiguous."
    )
    erase_nulls: list[Text] = Field(
        default=[], description="Columns in which NULL erases the value. In other columns NULL changes nothing."
    )
    batch_size: int = Field(default=MAX_BATCH, ge=1, le=MAX_BATCH, description="Rows per request, at most.")

    @model_validator(mode="after")
    def _has_a_key(self) -> Self:
        if self.mode == "upsert" and not self.key:
            raise ValueError("key: an upsert needs the dataset's deduplication columns")
        if self.mode == "update" and self.key not in ([], [MASTERID]):
            raise ValueError(f"key: an update uses {MASTERID}; remove `key`, and include that column in the source")
        return self

    @property
    def writes_to(self) -> str:
        """The dataset, by its name or id."""
        return self.dataset

    @property
    def summary(self) -> str:
        """What the sync does, for the UI."""
        return f"Keeps dataset `{self.dataset}` of octolis equal to its source."

    def destination(self, datasets: Mapping[str, str]) -> OctolisDataset:
        """The dataset as a destination."""
        id_ = datasets.get(self.dataset, self.dataset)
        fields = ColumnMapping(
            key=(MASTERID,) if self.mode == "update" else tuple(self.key),
            mapping=self.mapping,
            types=self.types,
            erase_nulls=frozenset(self.erase_nulls),
        )
        read_into = tuple(TableName(self.vendor, name) for name, each in datasets.items() if each == id_)
        return OctolisDataset(id_, self.mode, fields, self.batch_size, read_into, self.vendor)
