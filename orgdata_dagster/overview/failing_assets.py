"""The tables and syncs whose last run failed, found without importing Dagster if there are none.

Here: `failing_assets`, for the command line. Keep out: which runs failed, and why (failures_in_dagster.py); whether any
did (dagster_internals/all_succeeded.py).
"""

from __future__ import annotations

from orgdata_dagster import settings
from orgdata_dagster.dagster_internals.all_succeeded import all_succeeded
from orgdata_dagster.overview.failure import Failure
from orgdata_dagster.overview.outline import Outline


def failing_assets(outline: Outline) -> list[Failure]:
    """The tables and syncs whose last run failed, the oldest failure first. Imports Dagster only if there are any."""
    assets = {**{table.replace(".", "/"): "" for table in outline.tables}, **outline.syncs}
    if all_succeeded(settings.dagster_home(), assets):
        return []
    from orgdata_dagster.orchestration.instance.setup import shared_instance
    from orgdata_dagster.overview import failures_in_dagster

    with shared_instance() as instance:
        return failures_in_dagster.failing_assets(instance, assets)
