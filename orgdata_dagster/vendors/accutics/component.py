"""The YAML of accutics (`defs/accutics/defs.yaml`), and the streams made from it.

Here: the vendor's own options.
Keep out: options of every table (orchestration/config/table_options.py), requests (entity.py), pulling (vendors/rest/).
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Annotated, ClassVar

from pydantic import Field, model_validator

from orgdata_dagster.orchestration.config.cron import Cron
from orgdata_dagster.orchestration.config.durations import Duration, parse_duration
from orgdata_dagster.orchestration.config.request_options import Limits, Retries
from orgdata_dagster.orchestration.config.table_options import StartDate, Table
from orgdata_dagster.vendors.accutics.entity import COLUMNS, Paging, changed_within, listing
from orgdata_dagster.vendors.accutics.resource import AccuticsResource
from orgdata_dagster.vendors.accutics.search import Kind, parse
from orgdata_dagster.vendors.base.component import VendorComponent
from orgdata_dagster.vendors.base.stream import Stream
from orgdata_dagster.vendors.rest.list_settings import Filters, RestList
from orgdata_dagster.vendors.rest.streams import stream_of

UrlPath = Annotated[str, Field(pattern=r"^/[^?#\s]+$")]


class EntityTable(Table):
    """One entity: one asset, one table."""

    path: UrlPath = Field(description="Path of the list, after ACCUTICS_BASE_URL.")
    paging: Paging = Field(description="How the list is paged: by page number or by cursor.")
    page_size: int = Field(default=500, ge=1, description="Rows per page, at most. The vendor may allow fewer.")
    key: list[str] = Field(min_length=1, description="Columns that identify a row.")
    cursor_column: str | None = Field(
        default=None,
        description="Column with the time of a row's last change, by which the list can be searched. With it, the "
        "table has daily partitions; without it, every pull reads the whole list.",
    )
    search: str = Field(default="", description="More conditions, such as `match_status:eq:synced;author:exists`.")
    dimensions: dict[str, Kind] = Field(
        default={}, description="Dimension of `search`: its kind, which decides the valid operators."
    )
    sort: str = Field(
        default="",
        description="Order of the list. With `-<cursor_column>`, if the vendor supports it, one walk finds every row, "
        "even if rows change meanwhile.",
    )

    @model_validator(mode="after")
    def _searchable(self) -> EntityTable:
        parse(self.search, self.dimensions)
        if self.paging == "cursor" and self.sort:
            raise ValueError("sort: a list that is paged by cursor has its own order; remove `sort`")
        return self

    def source(self, lookback: timedelta) -> RestList:
        """The list of the entity, as plain values for the pull."""
        column, conditions = self.cursor_column, parse(self.search, self.dimensions)
        within, reach = partial(changed_within, column or ""), Filters.margin
        filters = Filters(within, column=column, option="cursor_column", lookback=lookback, reach=reach)
        return RestList(
            self,
            listing(self.path, self.paging, self.key, self.page_size, column, conditions, self.sort),
            filters if column else None,
            by_day=column is not None,
            is_probed=True,
            documented=COLUMNS,
            is_reconciled=self.paging == "page",  # only lists that are paged by number have a total
        )


class Accutics(VendorComponent):
    """Entities of accutics as tables that are kept up to date."""

    kind: ClassVar[str] = AccuticsResource.kind

    start_date: StartDate = Field(description="First day to pull, YYYY-MM-DD (UTC).")
    tables: list[EntityTable] = Field(min_length=1, description="The tables to pull, one per entity.")
    cron: Cron | None = Field(default="45 */4 * * *", description="Cron of the schedule (UTC); null: no schedule.")
    limits: Limits = Field(default=Limits(), description="Rate limit. The vendor documents none; null: no bound.")
    retries: Retries = Field(default=Retries(), description="Retries of a request.")
    lookback: Duration = Field(
        default="10s",
        description="Rows younger than this, by the vendor's clock, are pulled again by the next pull.",
    )

    def resource(self) -> AccuticsResource:
        """The resource with the limits and retries of the YAML."""
        return AccuticsResource.from_variables(
            account=self.name or "", limits=self.limits, retries=self.retries, probe_path=self.tables[0].path
        )

    def stream(self, table: EntityTable) -> Stream:
        """The stream of an entity: with daily partitions if it has a `cursor_column`, otherwise whole."""
        return stream_of(self.account, table.source(parse_duration(self.lookback)), self.start_date)
