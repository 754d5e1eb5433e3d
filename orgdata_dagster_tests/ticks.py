"""A tick of a sensor or a schedule, as the daemon evaluates it.

Here: `tick_sensor` and `tick_schedule`. Keep out: what a tick should request; runs.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import dagster as dg

from orgdata_dagster.orchestration.resources import WarehouseResource


def tick_sensor(
    instance: dg.DagsterInstance, defs: dg.Definitions, sensor: dg.SensorDefinition, cursor: str | None = None
) -> dg.SensorResult:
    """What the sensor returns. cursor: the cursor that its last tick returned."""
    with dg.build_sensor_context(
        instance,
        cursor=cursor,
        resources={"warehouse": WarehouseResource()},
        repository_def=defs.get_repository_def(),
        sensor_name=sensor.name,
    ) as context:
        result = sensor(context)
    assert isinstance(result, dg.SensorResult)
    return result


def tick_schedule(
    instance: dg.DagsterInstance, defs: dg.Definitions, schedule: dg.ScheduleDefinition, at: datetime | None = None
) -> Any:
    """What the schedule requests (`run_requests`), or why it does not (`skip_message`). at: when; by default, now."""
    with dg.build_schedule_context(
        instance,
        scheduled_execution_time=at or datetime.now(UTC),
        resources={"warehouse": WarehouseResource()},
        repository_def=defs.get_repository_def(),
    ) as context:
        return schedule.evaluate_tick(context)
