"""What a user writes to have a dataset kept equal to rows of the warehouse, checked and documented.

Here: the YAML's fields of `type: orgdata_dagster.OctolisSync`, and what both kinds of writing have in common. Keep out:
everything that happens with them (asset.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Annotated, ClassVar, Self

import dagster as dg
from pydantic import ConfigDict, Field, field_validator, model_validator

from orgdata_dagster.orchestration.automation.conditions import upstream_landed
from orgdata_dagster.orchestration.automation.schedules import asset_schedule
from orgdata_dagster.orchestration.config.cron import Cron
from orgdata_dagster.orchestration.config.limits import Retries
from orgdata_dagster.orchestration.config.tables import Claim, Name
from orgdata_dagster.vendors.octolis.client import MASTERID
from orgdata_dagster.vendors.octolis.component import Octolis, OctolisLimits, resource_for
from orgdata_dagster.vendors.octolis.resource import OctolisResource
from orgdata_dagster.vendors.octolis.sync import payloads, source
from orgdata_dagster.vendors.octolis.sync.asset import Job, build_asset
from orgdata_dagster.vendors.octolis.sync.definition import Sync, Type
from orgdata_dagster.vendors.octolis.sync.sending import to_dataset
from orgdata_dagster.vendors.octolis.writing import MAX_BATCH, Mode
from orgdata_dagster.warehouse.names import TableName

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


class OctolisSync(Writing):
    """Keeps a dataset of octolis equal to a table, or to a SELECT, of the warehouse."""

    ending: ClassVar[str] = "sync"

    dataset: Text = Field(description="The dataset's name in `type: orgdata_dagster.Octolis`, or its id in octolis.")
    mode: Mode = Field(default="upsert", description=f"upsert: by the key; update: by {MASTERID}.")
    key: list[Text] = Field(default=[], description="The dataset's deduplication columns; an update needs none.")
    mapping: dict[str, Text] = Field(default={}, description="The source's column: the dataset's; others keep theirs.")
    types: dict[str, Type] = Field(
        default={}, description="The dataset's column: its type there, where the source's type does not tell."
    )
    erase_nulls: list[Text] = Field(
        default=[], description="Columns whose NULL erases the value. NULL in any other leaves it as it is."
    )
    batch_size: int = Field(default=MAX_BATCH, ge=1, le=MAX_BATCH, description="Rows a request at most.")

    @model_validator(mode="after")
    def _has_a_key(self) -> Self:
        if self.mode == "upsert" and not self.key:
            raise ValueError("key: an upsert needs the dataset's deduplication columns")
        if self.mode == "update" and self.key not in ([], [MASTERID]):
            raise ValueError(f"key: an update goes by {MASTERID}; leave it out, and have that column in the source")
        return self

    @property
    def writes_to(self) -> str:
        """The id of the dataset it writes to: without a reader, `dataset` is one."""
        return self.dataset

    def job(self, datasets: Mapping[str, str]) -> Job:
        """What is to be done."""
        id_ = datasets.get(self.dataset, self.dataset)
        sync = Sync(
            name=self.name,
            key=tuple(self.key),
            mode=self.mode,
            mapping=self.mapping,
            types=self.types,
            erase_nulls=frozenset(self.erase_nulls),
        )
        return Job(
            name=self.name,
            ending=self.ending,
            source=self.source,
            target=id_,
            read_into=tuple(TableName(OctolisResource.vendor, name) for name, each in datasets.items() if each == id_),
            fill=partial(payloads.fill, sync=sync),
            send=partial(to_dataset, self.mode),
            batch_size=self.batch_size,
            dry_run=self.dry_run,
            max_rejected=self.max_rejected,
            description=self.description or f"Keeps dataset `{self.dataset}` of octolis equal to its source.",
            owners=tuple(self.owners),
            automation=self.automation,
        )
