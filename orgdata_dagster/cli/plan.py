"""`orgdata plan`: what a pull would cost. No request is sent.

Here: collecting and printing the figures. Keep out: the arithmetic (orchestration/planning/plans.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg
from rich.console import Console

from orgdata_dagster.cli.layout import WIDE, duration, figures, hanging
from orgdata_dagster.cli.loaded_project import LoadedProject
from orgdata_dagster.counting import counted
from orgdata_dagster.orchestration.partitions import days, key_of, keys_between
from orgdata_dagster.orchestration.planning.estimates import estimate_of
from orgdata_dagster.orchestration.planning.plans import (
    AssetPlan,
    VendorPlan,
    plan_of,
    total,
)
from orgdata_dagster.orchestration.resources import VendorResource, WarehouseResource
from orgdata_dagster.orchestration.tags import PullKind, op_tags, pulled_assets
from orgdata_dagster.warehouse.ledger.loads import past_requests
from orgdata_dagster.warehouse.ledger.requests import usual_seconds
from orgdata_dagster.warehouse.names import TableName


@dataclass(frozen=True)
class PullPlan:
    """The plan per asset, and the total per vendor."""

    assets: list[AssetPlan]
    vendors: list[VendorPlan]


def plan(loaded: LoadedProject, keys: Sequence[dg.AssetKey], first: date, last: date) -> PullPlan:
    """Plan `orgdata pull` with the same arguments. The plan has only assets that send requests to a vendor."""
    graph = loaded.defs.resolve_asset_graph()
    kinds = pulled_assets(graph)
    warehouse = WarehouseResource().open()
    found: dict[str, list[AssetPlan]] = {}
    answers: dict[str, float | None] = {}
    with warehouse.reading() if warehouse.exists else nullcontext() as connection:
        for key in (key for key in keys if key in kinds):
            node = graph.get(key)
            names = _partitions(node.partitions_def, kinds[key], first, last)
            today = key_of(node.partitions_def, datetime.now(UTC).date())
            past = past_requests(connection, TableName(*key.path), today) if connection else {}
            one = plan_of(key.to_user_string(), kinds[key], names, today, estimate_of(op_tags(graph, key)), past)
            found.setdefault(key.path[0], []).append(one)
        for vendor in found:
            answers[vendor] = usual_seconds(connection, vendor) if connection else None
    vendors = [
        total(vendor, plans, resource.rule(), answers[vendor])
        for vendor, plans in found.items()
        if isinstance(resource := loaded.resources.get(vendor), VendorResource)
    ]
    return PullPlan([one for plans in found.values() for one in plans], vendors)


def _partitions(partitions: dg.PartitionsDefinition | None, kind: PullKind, first: date, last: date) -> list[str]:
    """The requested partitions, including those that the vendor no longer has."""
    if kind == "days" and isinstance(partitions, dg.TimeWindowPartitionsDefinition):
        return keys_between(partitions, first, last)
    return list(dict.fromkeys(key_of(partitions, date.fromisoformat(day)) for day in days(first, last)))


def as_json(made: PullPlan) -> Mapping[str, Any]:
    """The plan as `--json` prints it, with the time at which the requests to each vendor would be done."""
    now = datetime.now(UTC)
    vendors = [{**asdict(one), "done_at": (now + timedelta(seconds=one.seconds)).isoformat()} for one in made.vendors]
    return {"assets": [asdict(one) for one in made.assets], "vendors": vendors}


def show(console: Console, made: PullPlan) -> None:
    """Print the plan."""
    table, vendor = figures("table", "partitions", "requests", "points", "basis"), ""
    for one in made.assets:
        name = one.asset
        if console.width < WIDE:
            if (own := name.split("/")[0]) != vendor:
                vendor = own
                table.add_row(vendor, style="bold")
            name = f"  {name.partition('/')[2]}"
        basis = counted(one.loads, "load") if one.loads else "at least" if one.at_least else "exact"
        table.add_row(name, f"{one.partitions:,}", f"{one.requests:,}", f"{one.points:,.0f}", basis)
    console.print(table)
    for each in made.vendors:
        share = "no limit" if each.share is None else f"{each.share:.2%} of a day's rate limit"
        done = datetime.now(UTC) + timedelta(seconds=each.seconds)
        more = "at least " if each.at_least else ""
        cost = f"{more}{counted(each.requests, 'request')}, {counted(each.points, 'point')} ({share})"
        text = f"{cost}; takes {duration(each.seconds)}, done at {done:%Y-%m-%d %H:%M} UTC if started now"
        hanging(console, f"{each.vendor}: ", text, indent=2)
    for one in made.assets:
        if one.each:
            text = f"at least {counted(one.requests, 'request')}: one per {one.each}"
            hanging(console, f"{one.asset}: ", text, indent=2)
        if one.impossible:
            span = one.impossible[0] if len(one.impossible) == 1 else f"{one.impossible[0]} to {one.impossible[-1]}"
            text = f"{one.asset} {span} ({counted(len(one.impossible), 'day')}): the vendor has only the current state"
            hanging(console, "unavailable: ", text, indent=2, style="yellow")
