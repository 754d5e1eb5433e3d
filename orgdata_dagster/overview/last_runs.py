"""The tables and syncs whose last run failed, found without Dagster if there are none.

Here: `failed_runs`, for the command line. Keep out: reading runs from Dagster's instance (failed_runs.py).
"""

from __future__ import annotations

from orgdata_dagster import settings
from orgdata_dagster.dagster_internals.last_runs import all_succeeded
from orgdata_dagster.overview.failure import Failure
from orgdata_dagster.overview.outline import Outline


def failed_runs(outline: Outline) -> list[Failure]:
    """The tables and syncs whose last run failed, the oldest failure first. Imports Dagster only if there are any."""
    assets = {**{table.replace(".", "/"): "" for table in outline.tables}, **outline.syncs}
    if all_succeeded(settings.dagster_home(), assets):
        return []
    from orgdata_dagster.orchestration.instance.setup import shared_instance
    from orgdata_dagster.overview import failed_runs as of_instance

    with shared_instance() as instance:
        return of_instance.failing_assets(instance, assets)
