"""The checks that fail now, and where the user finds details.

Here: `failing`, `remedy_of`. Keep out: since when, and other failures (failures_in_dagster.py); anything that imports
Dagster.
"""

from __future__ import annotations

from orgdata_dagster import settings
from orgdata_dagster.dagster_internals.failing_checks import FailingCheck, failing_checks
from orgdata_dagster.overview.outline import Outline


def failing(outline: Outline) -> list[FailingCheck]:
    """The checks whose last result is a failure."""
    return failing_checks(settings.dagster_home(), set(outline.checks))


def remedy_of(check: FailingCheck) -> str:
    """The text for users that says where to find details."""
    return f"See the tab Checks of {check.asset} in the UI (`orgdata dev`)."
