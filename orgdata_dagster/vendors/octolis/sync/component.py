"""What a user writes to have a dataset kept equal to rows of the warehouse, checked and documented.

Here: the YAML's fields of `type: orgdata_dagster.OctolisSync`. Keep out: what every sync has (writeback/component.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import ClassVar, Self

from pydantic import Field, model_validator

from orgdata_dagster.vendors.octolis.client import MASTERID
from orgdata_dagster.vendors.octolis.resource import OctolisResource
from orgdata_dagster.vendors.octolis.writing import MAX_BATCH, Mode
from orgdata_dagster.warehouse.names import TableName
from orgdata_dagster.writeback import payloads
from orgdata_dagster.writeback.asset import Job
from orgdata_dagster.writeback.batch import to_dataset
from orgdata_dagster.writeback.component import Text, Writing
from orgdata_dagster.writeback.definition import Sync, Type


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
