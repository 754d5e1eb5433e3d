"""The YAML of octolis (`defs/octolis/defs.yaml`), and the streams made from it.

Here: the vendor's own options.
Keep out: options of every table (orchestration/config/table_options.py), the pull (rounds.py, pulling.py).
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, ClassVar

from pydantic import Field, field_validator

from orgdata_dagster.orchestration.config.cron import Cron
from orgdata_dagster.orchestration.config.durations import Duration, parse_duration
from orgdata_dagster.orchestration.config.request_options import Retries
from orgdata_dagster.orchestration.config.table_options import Table
from orgdata_dagster.orchestration.planning.estimates import Estimate
from orgdata_dagster.vendors.base.component import VendorComponent
from orgdata_dagster.vendors.base.stream import Stream, target
from orgdata_dagster.vendors.octolis import client as api
from orgdata_dagster.vendors.octolis.merges import merges_table
from orgdata_dagster.vendors.octolis.pulling import COUNT_CHECK, ReadOptions
from orgdata_dagster.vendors.octolis.resource import OctolisLimits, OctolisResource, resource_for
from orgdata_dagster.vendors.octolis.rounds import until_equal
from orgdata_dagster.vendors.octolis.walk import MAX_PAGE_SIZE
from orgdata_dagster.warehouse.names import TableName

ColumnName = Annotated[str, Field(pattern=r"^[^,:]+$")]  # comma and colon are separators in the vendor's parameters


_SYSTEM_COLUMNS = {
    api.MASTERID: "octolis' id of the record.",
    api.MODIFIED_AT: "When the record was last modified, by octolis' clock.",
    api.ALL_MASTERIDS: "The masterids of records that were merged into this one and no longer exist.",
    "__created_at__": "When octolis created the record.",
    "__updated_at__": "When octolis last wrote the record, including its preparations.",
}
_SYSTEM_TYPES = {api.MASTERID: "VARCHAR", api.MODIFIED_AT: "TIMESTAMPTZ", api.ALL_MASTERIDS: "VARCHAR[]"}


class DatasetTable(Table):
    """One dataset: one asset, one table."""

    id: str = Field(min_length=1, description="The dataset's id in octolis.")
    key: list[str] = Field(
        default=[api.MASTERID], description="Always the masterid, by which octolis identifies a record."
    )
    deduplicated_by: list[ColumnName] = Field(
        default=[], description="The columns by which octolis deduplicates; shown in the UI."
    )
    filter: str = Field(
        default="",
        description="Only these records: `column:value,column:value`. Several values of one column are alternatives; "
        "all columns must match. A value cannot contain a comma.",
    )
    selection: list[ColumnName] = Field(
        default=[], description="Only these columns, and those that orgdata needs. Default: all columns."
    )

    @field_validator("key")
    @classmethod
    def _masterid(cls, key: list[str]) -> list[str]:
        if key != [api.MASTERID]:
            raise ValueError(
                f"the key is always {api.MASTERID}; list the dataset's deduplication columns under `deduplicated_by`"
            )
        return key

    @field_validator("filter")
    @classmethod
    def _valid_filter(cls, value: str) -> str:
        api.parsed_filter(value)
        return value

    @property
    def query(self) -> api.Query:
        """The records to read."""
        return api.Query(self.id, api.parsed_filter(self.filter), tuple(self.selection))


class Octolis(VendorComponent):
    """Datasets of octolis as tables: one row per record, as octolis has it now."""

    kind: ClassVar[str] = OctolisResource.kind
    extra_tables: ClassVar[tuple[str, ...]] = ("merges",)

    tables: list[DatasetTable] = Field(min_length=1, description="The tables to pull, one per dataset.")
    cron: Cron | None = Field(
        default="20 * * * *",
        description="Cron of tables without their own (UTC); null: no schedule.",
    )
    limits: OctolisLimits = Field(
        default=OctolisLimits(), description="Rate limit, as documented. Change it only for a test server."
    )
    retries: Retries = Field(default=Retries(), description="Retries of a request.")
    page_size: int = Field(
        default=MAX_PAGE_SIZE, ge=1_000, le=MAX_PAGE_SIZE, description="Records per request, at most."
    )
    lookback: Duration = Field(
        default="60s",
        description="How long after its __modified_at__ a record may become visible. The next pull requests younger "
        "records again.",
    )
    full_walk_every: Duration | None = Field(
        default="24h",
        description="How often all records are read again, because a SQL dataset may change records without a new "
        "__modified_at__. 0s: at every pull; null: only if the counts differ.",
    )

    def resource(self) -> OctolisResource:
        """The resource with the limits and retries of the YAML."""
        return resource_for(self.limits, self.retries, self.tables[0].id, self.name or "")

    def stream(self, table: DatasetTable) -> Stream:
        """The stream of a dataset."""
        every = None if self.full_walk_every is None else parse_duration(self.full_walk_every)
        options = ReadOptions(parse_duration(self.lookback), every, self.page_size)
        about = table.description or f"Dataset `{table.id}` of octolis."
        merges = merges_table(TableName(self.account, table.name))
        shown = [name for name in table.deduplicated_by if not table.selection or name in table.selection]
        return Stream(
            table,
            target(
                self.account,
                table,
                about,
                configured={"deduplicated_by": shown, "selection": table.selection},
                cursor=api.MODIFIED_AT,
                write_disposition="merge",
                documented=_SYSTEM_COLUMNS,
            ),
            description=f"{about} One row per record, as octolis has it now. `{merges.name}` lists which records were "
            "merged into which.",
            file_format="json",
            run=partial(until_equal, query=table.query, options=options),
            pulls="whole",
            estimate=Estimate(2, cost=api.READ_POINTS),  # a page and the count; a full walk takes more pages
            declared=_SYSTEM_TYPES,
            checks={COUNT_CHECK: "The table has as many rows as octolis has records."},
            metadata={"dataset": table.id, "deduplicated by": ", ".join(table.deduplicated_by) or "not stated"},
            # notices a deletion only of the newest record; other deletions show when a pull compares the counts
            probe=lambda client, _coverage: client.newest(table.query),
        )
