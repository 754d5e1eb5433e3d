"""Streams of lists, for `RestApi` and other vendors with lists.

Here: `stream_of`. Keep out: YAML (component.py, table_options.py), the pull (pulling.py).
"""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

import dagster as dg

from orgdata_dagster.orchestration.partitions import daily
from orgdata_dagster.orchestration.planning.estimates import Estimate
from orgdata_dagster.orchestration.tags import FULL_WALK_TAG
from orgdata_dagster.vendors.base.stream import Step, Stream, target
from orgdata_dagster.vendors.rest.change_probe import probe_of
from orgdata_dagster.vendors.rest.list_settings import RestList
from orgdata_dagster.vendors.rest.parents import parents, table_of
from orgdata_dagster.vendors.rest.pulling import RestPull
from orgdata_dagster.vendors.rest.reconciling import reconciliation_of
from orgdata_dagster.vendors.rest.shifts import Shifts
from orgdata_dagster.warehouse.names import TableName


def stream_of(vendor: str, source: RestList, start_date: str) -> Stream:
    """The stream of one list.

    start_date: the first day, for a table with daily partitions.
    """
    table, listing, filters = source.table, source.listing, source.filters
    about = table.description or f"`{listing.path}` of {vendor}."
    rules: dict[str, Any] = {"write_disposition": "merge"} if table.key else {}
    if filters and filters.column:
        rules["configured"] = {filters.option: [filters.column]}
    file_format: Literal["csv", "json"] = "csv" if listing.format in ("csv", "csv_in_json") else "json"
    grain = f" One row per {', '.join(table.key)}." if table.key else ""
    return Stream(
        table,
        target(
            vendor,
            table,
            f"{about}{grain}",
            cursor=source.cursor,
            documented=source.documented,
            **rules,
        ),
        description=f"{about} {_way(source)}",
        file_format=file_format,
        run=partial(_run, source),
        pulls="days" if source.by_day else "whole",
        partitions=daily(start_date) if source.by_day else None,
        estimate=Estimate(1, cost=listing.cost, each=f"row of {table_of(source.each)}" if source.each else ""),
        unproven=source.unproven,
        probe=probe_of(source) if source.is_probed else None,
        reconciliation=reconciliation_of(TableName(vendor, table.name), source) if source.is_reconciled else None,
        upstream=[dg.AssetKey([vendor, table_of(source.each)])] if source.each else [],
    )


def _run(source: RestList, step: Step) -> dg.MaterializeResult:
    vendor = step.stream.target.table.schema
    rows = parents(step.warehouse, vendor, source.each)
    everything = step.context.run.tags.get(FULL_WALK_TAG) == "true"
    days = min(step.at_once, len(step.partitions))
    lists = step.at_once // days  # lists of parents that are read concurrently for each day
    shifts = Shifts(again=everything and source.by_day)
    try:
        return step.land(
            lambda intake: RestPull(step.client, vendor, source, rows, intake, everything, lists, shifts).run(),
            workers=days,
        )
    finally:
        shifts.store(step.warehouse, step.stream.target.table)


def _way(source: RestList) -> str:
    if source.by_day:
        return "A day's partition has the rows that were last changed on it (UTC). A row that changes moves."
    if source.filters is None:
        return "Every pull reads the whole list, and replaces what has changed."
    if source.filters.full_walk_every is None:
        return "Changes are merged by key at every pull; a row that is deleted at the vendor stays."
    return "Changes are merged by key at every pull; deleted rows leave with the next full walk."
