"""Findings about the tables: what their coverage lacks.

Here: holes. Keep out: what a hole is (orchestration/automation/gaps.py), all else of a table (cli/tables.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg

from orgdata_dagster.cli.catalog import Catalog
from orgdata_dagster.cli.doctor.finding import Finding
from orgdata_dagster.orchestration.automation.gaps import covered, holes
from orgdata_dagster.orchestration.resources import WarehouseResource
from orgdata_dagster.orchestration.tags import pulled_assets


def findings(catalog: Catalog, instance: dg.DagsterInstance) -> Iterator[Finding]:
    """One of each table with holes, or one that there are none."""
    graph = catalog.defs.resolve_asset_graph()
    kinds, now = pulled_assets(graph), datetime.now(UTC)
    known = covered(WarehouseResource(), list(kinds))
    found = 0
    for key, kind in kinds.items():
        missing = holes(instance, key, kind, graph.get(key).partitions_def, known[key], now)
        if not missing:
            continue
        found += 1
        name, first, last = key.to_user_string(), missing[0], missing[-1]
        span = f"{len(missing)} partitions, {first} to {last}" if first else "the last pull was not complete"
        days = f" --from {first}" + (f" --to {last}" if kind == "days" else "") if first else ""
        yield Finding(name, f"missing: {span}", False, f"orgdata pull {name}{days} (catch_up does it too, if it runs)")
    if not found:
        yield Finding("coverage", f"no holes in {len(kinds)} tables")
