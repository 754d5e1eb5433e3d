"""The asset `orgdata/overview`, and the sensor that keeps it up to date.

Here: when it is refreshed. Keep out: its content (markdown.py).

The sensor reports a materialization itself, because a run would take seconds of CPU time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg

from orgdata_dagster import settings
from orgdata_dagster.overview.failures_in_dagster import failures
from orgdata_dagster.overview.from_definitions import outline_of, syncs_of
from orgdata_dagster.overview.markdown import metadata_of
from orgdata_dagster.overview.state import Overview, collect

OVERVIEW = dg.AssetKey(["orgdata", "overview"])
_AT_MOST_EVERY = timedelta(minutes=5)
_AT_LEAST_EVERY = timedelta(hours=1)  # ages grow although nothing happens

spec = dg.AssetSpec(
    OVERVIEW,
    group_name="orgdata",
    description="The state of all vendors and tables: freshness, gaps, use of the rate limits, and current failures. "
    "The sensor `overview` refreshes it after every change, at most every 5 minutes. "
    "`orgdata status --html FILE` writes the same content to an HTML page.",
    kinds={"orgdata"},
)


def overview_of(instance: dg.DagsterInstance, graph: Any, resources: Mapping[str, object]) -> Overview:
    """The overview of a project. `graph`: its asset graph; `resources`: its resources by key."""
    syncs = syncs_of(graph)
    assets = {key.to_user_string(): syncs.get(key, "") for key in graph.materializable_asset_keys}
    found = failures(instance, assets, list(graph.asset_check_keys))
    return collect(outline_of(graph, resources), found)


def materialization(seen: Overview) -> dg.AssetMaterialization:
    """The event that shows the overview."""
    return dg.AssetMaterialization(OVERVIEW, metadata=metadata_of(seen))


def overview_sensor(
    resources: Mapping[str, object], *, at_most_every: timedelta = _AT_MOST_EVERY
) -> dg.SensorDefinition:
    """The sensor that refreshes the overview.

    resources: the project's resources by key.
    at_most_every: the shortest time between two refreshes.
    """

    @dg.sensor(
        name="overview",
        asset_selection=dg.AssetSelection.assets(OVERVIEW),
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Refreshes orgdata/overview when a run has ended or the warehouse has changed.",
    )
    def refresh(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        now, last = datetime.now(UTC), json.loads(context.cursor or "{}")
        refreshed = datetime.fromisoformat(last["at"]) if last else None
        changed = _changes(context.instance)
        pause = at_most_every if changed != last.get("changed") else _AT_LEAST_EVERY
        if refreshed and now < refreshed + pause:
            return dg.SensorResult(skip_reason="nothing has changed, or the last refresh was a moment ago")
        if refreshed and refreshed.date() != now.date():
            context.instance.wipe_assets([OVERVIEW])  # every event contains the whole overview: one day is enough
        seen = overview_of(context.instance, context.repository_def.asset_graph, resources)  # type: ignore[union-attr]
        cursor = json.dumps({"at": now.isoformat(), "changed": changed})
        return dg.SensorResult(asset_events=[materialization(seen)], cursor=cursor)

    return refresh


def _changes(instance: dg.DagsterInstance) -> list[str]:
    """Values that differ after a run has ended or the warehouse was written. Reading them is fast."""
    records = instance.get_run_records(limit=1, order_by="update_timestamp")
    file = Path(settings.warehouse_uri())  # not one where the warehouse is a server; runs change the rest
    return [
        str(records[0].update_timestamp) if records else "",
        str(file.stat().st_mtime_ns) if file.is_file() else "",
    ]
