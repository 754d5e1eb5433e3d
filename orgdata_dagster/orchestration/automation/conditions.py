"""When assets of a user's own, downstream of a vendor's table, run by themselves.

Here: `when_landed`, and the sensor that heeds such conditions. Keep out: schedules and sensors of vendors.
"""

from __future__ import annotations

import warnings

import dagster as dg

from orgdata_dagster.orchestration.automation.landed import LandedSinceLastRun


def when_landed() -> dg.AutomationCondition:
    """For `@dg.asset(automation_condition=when_landed())`: run when something upstream landed since the last run.

    The asset waits while an upstream asset or the asset itself is running. Of an asset with partitions, those run whose
    upstream partitions landed. Two such assets in a row run together.

    Dagster's `eager()` would never run: it requires every partition of a table, from the first day on.
    """
    running = dg.AutomationCondition.any_deps_in_progress() | dg.AutomationCondition.in_progress()
    return (upstream_landed() & ~running).with_label("when_landed")


def upstream_landed() -> dg.AutomationCondition:
    """Something upstream has landed since the asset's last run, or is about to in the run that the asset joins."""
    requested = dg.AutomationCondition.any_deps_match(dg.AutomationCondition.will_be_requested())
    return LandedSinceLastRun() | requested


def downstream_sensor() -> dg.AutomationConditionSensorDefinition:
    """Runs assets that have an `automation_condition` when it holds.

    Dagster's own sensor for that stands still until somebody switches it on.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)
        return dg.AutomationConditionSensorDefinition(
            "downstream",
            target=dg.AssetSelection.all(),
            default_status=dg.DefaultSensorStatus.RUNNING,
            minimum_interval_seconds=60,
            use_user_code_server=True,  # in beta; the daemon itself can evaluate Dagster's own conditions only
            description="Runs assets with an automation_condition, as when_landed(), when it holds.",
        )
