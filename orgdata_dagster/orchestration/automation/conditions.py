"""Automation of users' own assets downstream of a vendor's table.

Here: the condition `when_landed`, and the sensor that evaluates conditions. Keep out: schedules and sensors of vendors.
"""

from __future__ import annotations

import warnings

import dagster as dg

from orgdata_dagster.orchestration.automation.landed import LandedSinceLastRun


def when_landed() -> dg.AutomationCondition:
    """Run an asset when something upstream has landed since its last run.

    Use it as `@dg.asset(automation_condition=when_landed())`. The asset waits while an upstream asset or the asset
    itself is running. A partitioned asset runs for the partitions whose upstream partitions landed. Two such assets in
    a chain run in one run.

    Dagster's `eager()` would never run, because it requires every partition of a table from the first day on.
    """
    running = dg.AutomationCondition.any_deps_in_progress() | dg.AutomationCondition.in_progress()
    return (upstream_landed() & ~running).with_label("when_landed")


def upstream_landed() -> dg.AutomationCondition:
    """True if something upstream has landed since the asset's last run, or will land in the same run."""
    requested = dg.AutomationCondition.any_deps_match(dg.AutomationCondition.will_be_requested())
    return LandedSinceLastRun() | requested


def downstream_sensor() -> dg.AutomationConditionSensorDefinition:
    """The sensor that runs assets whose `automation_condition` is true.

    Dagster's own sensor for this is off by default.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)
        return dg.AutomationConditionSensorDefinition(
            "downstream",
            target=dg.AssetSelection.all(),
            default_status=dg.DefaultSensorStatus.RUNNING,
            minimum_interval_seconds=60,
            use_user_code_server=True,  # in beta; the daemon itself can evaluate Dagster's own conditions only
            description="Runs assets whose automation_condition, such as when_landed(), is true.",
        )
