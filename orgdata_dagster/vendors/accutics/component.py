"""The YAML of accutics (`defs/accutics/defs.yaml`), and the streams made from it.

Here: the vendor's own options.
Keep out: options of every table (orchestration/config/tables.py), the pull (pulling.py).
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, ClassVar, Literal

import dagster as dg
from pydantic import Field, model_validator

from orgdata_dagster.orchestration.assets.intake import Intake, Pulled
from orgdata_dagster.orchestration.automation.change_sensor import ChangeProbe
from orgdata_dagster.orchestration.automation.gaps import Coverage
from orgdata_dagster.orchestration.config.cron import Cron
from orgdata_dagster.orchestration.config.durations import Duration, parse_duration
from orgdata_dagster.orchestration.config.limits import Limits, Retries
from orgdata_dagster.orchestration.config.tables import Day, Table
from orgdata_dagster.orchestration.partitions import daily
from orgdata_dagster.vendors.accutics.client import AccuticsClient, Listing
from orgdata_dagster.vendors.accutics.probing import newest
from orgdata_dagster.vendors.accutics.pulling import pull_all, pull_day
from orgdata_dagster.vendors.accutics.reconciling import build_check
from orgdata_dagster.vendors.accutics.resource import AccuticsResource
from orgdata_dagster.vendors.accutics.search import Kind, parse
from orgdata_dagster.vendors.base.component import VendorComponent
from orgdata_dagster.vendors.base.stream import Step, Stream, target

# what the vendor's document searches by, and calls alike in every entity
_COLUMNS = {
    "id": "accutics' id of the entity.",
    "record_id": "accutics' id of the record that the row belongs to.",
    "created_at": "When the entity was created (UTC).",
    "updated_at": "When the entity was last changed (UTC).",
    "submission": "Name of the submission that the record came with.",
    "author": "Who created the entity; accutics searches it by name and e-mail address.",
    "updater": "Who last changed the entity; accutics searches it by name and e-mail address.",
    "match_status": "How far the record matches the data of the channel, such as synced, outdated, unmatched or "
    "out_of_sync.",
}

Path = Annotated[str, Field(pattern=r"^/[^?#\s]+$")]


class EntityTable(Table):
    """One entity: one asset, one table."""

    path: Path = Field(description="Path of the list, after ACCUTICS_BASE_URL.")
    paging: Literal["page", "cursor"] = Field(description="The paging of the list.")
    page_size: int = Field(
        default=500, ge=1, description="Most rows per page. The vendor limits it to its own maximum."
    )
    key: list[str] = Field(min_length=1, description="Columns that identify a row.")
    cursor_column: str | None = Field(
        default=None,
        description="Column with the time of a row's last change, by which the list can be searched. With it the "
        "table has daily partitions; without it every pull reads the whole list.",
    )
    search: str = Field(default="", description="More conditions, such as `match_status:eq:synced;author:exists`.")
    dimensions: dict[str, Kind] = Field(
        default={}, description="Dimension of `search`: its kind, against which the operators are checked."
    )
    sort: str = Field(
        default="",
        description="Order of the list. `-<cursor_column>`, if the vendor supports it, finds every row in one walk "
        "even if rows change meanwhile.",
    )

    @model_validator(mode="after")
    def _searchable(self) -> EntityTable:
        parse(self.search, self.dimensions)
        if self.paging == "cursor" and self.sort:
            raise ValueError("sort: a list that pages by cursor has its own order")
        return self

    @property
    def listing(self) -> Listing:
        """The listing of this table."""
        return Listing(
            path=self.path,
            paging=self.paging,
            key=tuple(self.key),
            page_size=self.page_size,
            cursor_column=self.cursor_column,
            conditions=parse(self.search, self.dimensions),
            sort=self.sort,
        )


class Accutics(VendorComponent):
    """Entities of accutics as tables that are kept equal to them."""

    kind: ClassVar[str] = AccuticsResource.kind

    start_date: Day = Field(description="First day to pull, YYYY-MM-DD (UTC).")
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
            account=self.name or "", **self.limits.model_dump(), **self.retries.fields(), probe_path=self.tables[0].path
        )

    def streams(self) -> list[Stream]:
        """One stream per entity: by day of the last change, or whole if the list does not have it."""
        return [self._stream(table) for table in self.tables]

    def _stream(self, table: EntityTable) -> Stream:
        listing = table.listing
        about = table.description or f"`{table.path}` of accutics."
        in_days = listing.cursor_column is not None
        days = "A day's partition holds the rows last changed on it (UTC); a row that changes moves to that day."
        return Stream(
            table,
            target(
                self.account,
                table,
                f"{about} One row per {', '.join(table.key)}.",
                configured={"cursor_column": [table.cursor_column] if table.cursor_column else []},
                cursor=listing.cursor_column,
                write_disposition="merge",
                documented=_COLUMNS,
            ),
            description=f"{about} {days if in_days else 'Compared as a whole at every pull.'}",
            file_format="json",
            run=partial(self._run, listing),
            pulls="days" if in_days else "whole",
            partitions=daily(self.start_date) if in_days else None,
            probe=_probe(listing),
            # only a list by page number tells its length
            reconciliation=partial(build_check, listing=listing) if table.paging == "page" else None,
        )

    def _run(self, listing: Listing, step: Step) -> dg.MaterializeResult:
        lookback = parse_duration(self.lookback)

        def pull(intake: Intake) -> Pulled:
            if step.stream.partitions:
                return pull_day(step.client, listing, intake, lookback)
            return pull_all(step.client, listing, intake)

        return step.land(pull, workers=step.resource.concurrent or 4)


def _probe(listing: Listing) -> ChangeProbe:
    def probe(client: AccuticsClient, known: Coverage) -> str:
        complete = [part.end for parts in known.values() for part in parts if part.complete]
        return newest(client, listing, max(complete, default=None))

    return probe
