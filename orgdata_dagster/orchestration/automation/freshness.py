"""The sensor `freshness`: it evaluates the check `freshness` when a table becomes late, overdue or fresh again.

Here: the freshness of all tables, and when it is reported. Keep out: the allowed age of a table (checks/freshness.py).

Runs also evaluate the check, but a table becomes overdue because there is no run. The cursor contains the last states.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from orgdata_dagster.orchestration.automation import gauges
from orgdata_dagster.orchestration.automation.gaps import PATIENCE
from orgdata_dagster.orchestration.checks import freshness
from orgdata_dagster.orchestration.checks.freshness import Freshness
from orgdata_dagster.orchestration.resources import VendorResource, WarehouseResource
from orgdata_dagster.warehouse.ledger import coverage
from orgdata_dagster.warehouse.names import TableName


def freshness_of(graph: Any, warehouse: WarehouseResource, now: datetime) -> Mapping[dg.AssetKey, Freshness]:
    """Asset with the check `freshness` -> the freshness of its table. Tables that were never pulled are omitted.

    graph: the project's asset graph, whose class has no public name.
    """
    specs = {key.asset_key: graph.get_check_spec(key) for key in graph.asset_check_keys if key.name == freshness.NAME}
    opened = warehouse.open()
    opened.patience = min(opened.patience, PATIENCE)
    if not opened.exists:
        return {}
    with opened.reading() as connection:
        until = coverage.complete_until(connection)
    return {
        key: Freshness(until[table], freshness.allowed_by(spec.metadata), now)
        for key, spec in specs.items()
        if (table := TableName(*key.path)) in until
    }


def freshness_sensor(vendors: Iterable[VendorResource] = ()) -> dg.SensorDefinition:
    """The sensor for all tables. `vendors`: the vendors whose rate limits are recorded for OpenTelemetry."""
    resources = tuple(vendors)

    @dg.sensor(
        name="freshness",
        asset_selection=dg.AssetSelection.all(),
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Evaluates the check `freshness` when the coverage of a table falls behind, or has caught up.",
    )
    def sensor(context: dg.SensorEvaluationContext, warehouse: WarehouseResource) -> dg.SensorResult:
        graph = context.repository_def.asset_graph  # type: ignore[union-attr]
        found = freshness_of(graph, warehouse, datetime.now(UTC))
        gauges.record(context.instance, resources, found)
        before: dict[str, str] = json.loads(context.cursor or "{}")
        changed = [key for key, each in found.items() if before.get(key.to_user_string(), "fresh") != each.state]
        stale = sorted(key.to_user_string() for key, each in found.items() if each.state != "fresh")
        return dg.SensorResult(
            skip_reason=f"not fresh: {', '.join(stale)}" if stale else "every table is fresh",
            asset_events=[found[key].evaluation(key) for key in changed],
            cursor=json.dumps({key.to_user_string(): each.state for key, each in found.items()}),
        )

    return sensor
