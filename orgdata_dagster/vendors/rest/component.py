"""What a user writes in `defs/<vendor>/defs.yaml` with `type: orgdata_dagster.RestApi`, and the streams that it makes.

Here: the vendor's options. Keep out: options of its tables (tables.py, paging.py), the pull (pulling.py).
"""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar, Literal

import dagster as dg
from pydantic import Field, model_validator

from orgdata_dagster.orchestration.config.cron import Cron
from orgdata_dagster.orchestration.config.limits import Retries
from orgdata_dagster.orchestration.config.tables import Day, Name
from orgdata_dagster.orchestration.partitions import daily
from orgdata_dagster.orchestration.planning.estimates import Estimate
from orgdata_dagster.vendors.base.component import VendorComponent
from orgdata_dagster.vendors.base.stream import Step, Stream, target
from orgdata_dagster.vendors.rest.authentication import AuthOptions
from orgdata_dagster.vendors.rest.client import placeholders
from orgdata_dagster.vendors.rest.limits import RestErrors, RestLimits
from orgdata_dagster.vendors.rest.parents import parents, table_of
from orgdata_dagster.vendors.rest.pulling import pull
from orgdata_dagster.vendors.rest.resource import RestApiResource
from orgdata_dagster.vendors.rest.tables import RestTable, Text, as_text


class RestApi(VendorComponent):
    """Lists of any REST API as tables that are kept equal to them."""

    kind: ClassVar[str] = RestApiResource.kind

    vendor: Name = Field(
        description="Name of the vendor: of schema, group, pool and variables. tracker reads TRACKER_BASE_URL."
    )
    base_url: str = Field(
        default="",
        pattern=r"^(https?://[^?#\s]+)?$",
        description="Address before every path; the variable <VENDOR>_BASE_URL goes before it.",
    )
    auth: AuthOptions = Field(description="How requests are authenticated, with the names of variables.")
    headers: dict[str, str] = Field(default={}, description="Headers of every request; never credentials.")
    params: dict[str, Text] = Field(default={}, description="Parameters of every request; never credentials.")
    start_date: Day = Field(default="2026-01-01", description="First day of tables with `partitions: day`, YYYY-MM-DD.")
    tables: list[RestTable] = Field(min_length=1, description="The tables to have, one per list.")
    cron: Cron | None = Field(default="25 */4 * * *", description="When to pull what is due (UTC); null: no schedule.")
    limits: RestLimits = Field(default=RestLimits(), description="How hard the vendor may be asked.")
    errors: RestErrors = Field(default=RestErrors(), description="How the vendor tells errors.")
    retries: Retries = Field(default=Retries(), description="How often and how patiently a request is retried.")

    @model_validator(mode="after")
    def _each_table_is_there(self) -> RestApi:
        names = {table.name: table for table in self.tables}
        for table in self.tables:
            sources = {source.split(".")[0] for source in table.each.values()}
            if len(sources) > 1:
                raise ValueError(f"tables: {table.name}: `each` names several tables: {', '.join(sorted(sources))}")
            if unknown := sources - {*names}:
                raise ValueError(
                    f"tables: {table.name}: `each` names {unknown.pop()!r}, which is no table here; there are "
                    f"{', '.join(names)}"
                )
            if sources and names[sources.pop()].each:
                raise ValueError(f"tables: {table.name}: the table that `each` names must not have `each` itself")
        return self

    @property
    def account(self) -> str:
        """The name of schema, group, pool and resource."""
        return self.name or self.vendor

    def resource(self) -> RestApiResource:
        """The resource with the YAML's limits, retries and names of variables."""
        plain = [table.path for table in self.tables if table.method == "GET" and not _filled(table)]
        return RestApiResource.from_variables(
            account=self.account,
            auth=self.auth.model_dump(),
            default_base_url=self.base_url,
            headers=dict(self.headers),
            params={name: as_text(value) for name, value in self.params.items()},
            probe_path=plain[0] if plain else "",
            **self.limits.fields(),
            **self.errors.fields(),
            **self.retries.fields(),
        )

    def streams(self) -> list[Stream]:
        """A stream per list, in days or whole."""
        return [self._stream(table) for table in self.tables]

    def _stream(self, table: RestTable) -> Stream:
        about = table.description or f"`{table.path}` of {self.account}."
        filters = table.incremental
        rules: dict[str, Any] = {"write_disposition": "merge"} if table.key else {}
        configured = {"incremental.column": [filters.column]} if filters and table.cursor else {}
        file_format: Literal["csv", "json"] = "csv" if table.format in ("csv", "csv_in_json") else "json"
        return Stream(
            table,
            target(self.account, table, about, configured=configured, cursor=table.cursor, **rules),
            description=f"{about} {_manner(table)}",
            file_format=file_format,
            run=partial(self._run, table),
            pulls="days" if table.partitions else "whole",
            partitions=daily(self.start_date) if table.partitions else None,
            estimate=Estimate(1, cost=table.cost),
            unproven=unproven(table),
            upstream=[dg.AssetKey([self.account, table_of(table.each)])] if table.each else [],
        )

    def _run(self, table: RestTable, step: Step) -> dg.MaterializeResult:
        listing = table.listing(self.errors.no_data_statuses)
        rows = parents(step.warehouse, self.account, table.each)
        return step.land(
            lambda intake: pull(step.client, self.account, table, listing, rows, intake),
            workers=self.limits.concurrent or 4,
        )


def unproven(table: RestTable) -> list[str]:
    """What the YAML leaves open, and what a pull cannot show."""
    found, paging = [], table.paginator
    total = getattr(paging, "total", "")
    if not table.key:
        found.append("no `key`: rows that come twice cannot be told apart, and rows that move may be missing")
    if not total:
        found.append("no `total`: that the list is whole is the vendor's word, or that of two walks that agree")
    if getattr(paging, "stands_at", "row") == "number":
        found.append("links are taken to hold page numbers: every list of several pages is read at least twice")
    if table.incremental and not table.partitions:
        found.append("only a lower bound: rows that are gone at the vendor stay in the table")
    if table.each:
        found.append(f"rows of `{table_of(table.each)}` that have not landed yet are not walked")
    return found


def _manner(table: RestTable) -> str:
    if table.partitions:
        return "A day's partition holds the rows last changed on it (UTC)."
    if table.incremental:
        return "What changed is merged by key at every pull; a row that is gone at the vendor stays."
    return "Compared as a whole at every pull."


def _filled(table: RestTable) -> set[str]:
    return placeholders(table.path, table.params, table.headers, table.body)
