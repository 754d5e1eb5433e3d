"""When assets of a user's own, downstream of a vendor's table, run by themselves.

Here: `when_landed`, and the sensor that heeds such conditions. Keep out: schedules and sensors of vendors.
"""

from __future__ import annotations

import dagster as dg


def when_landed() -> dg.AutomationCondition:
    """For `@dg.asset(automation_condition=when_landed())`: whenever something it stands on has landed or changed.

    Dagster's `eager()` would wait for ever: it wants every partition of a table there first, from its first day on.
    """
    missing = dg.AutomationCondition.any_deps_missing()
    return dg.AutomationCondition.eager().without(~missing).with_label("when_landed")


def downstream_sensor() -> dg.AutomationConditionSensorDefinition:
    """Runs assets that have an `automation_condition` when it holds.

    Dagster's own sensor for that stands still until somebody switches it on.
    """
    return dg.AutomationConditionSensorDefinition(
        "downstream",
        target=dg.AssetSelection.all(),
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=60,
        description="Runs assets with an automation_condition, as when_landed(), when it holds.",
    )
