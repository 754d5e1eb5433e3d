"""The reports of a step to Dagster about landed partitions: materializations and check results.

Here: `Reports` during a step, `result` for a successful step, `keep_landed` for a failed step.
Keep out: landing (landing.py), the figures themselves (metadata.py, checks/).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial

import dagster as dg
import duckdb

from orgdata_dagster.dagster_internals.early_reports import EarlyReports
from orgdata_dagster.orchestration.assets import metadata
from orgdata_dagster.orchestration.assets.day_pictures import of_days
from orgdata_dagster.orchestration.checks.results import Landed, of_landed
from orgdata_dagster.orchestration.checks.volume import Volume, not_comparable, volumes, whole_volume
from orgdata_dagster.orchestration.partitions import key_of
from orgdata_dagster.warehouse.commit.target import Target
from orgdata_dagster.warehouse.storage.connection import Warehouse
from orgdata_dagster.warehouse.storage.memory import with_room

Figures = Mapping[str | None, metadata.Metadata]
"""Partition -> the metadata of its materialization."""


EVERY = 10.0  # seconds


class Reports:
    """Reports committed partitions every 10 s, so that the UI shows them during the step, and the others at its end.

    Not at every commit, because each report needs transactions that block the runs of all processes.

    partitions: all partitions of the step. `result` reports the newest one, because its metadata also show the table.
    """

    def __init__(self, context: dg.AssetExecutionContext, partitions: Sequence[str | None]) -> None:
        self._key = context.asset_key
        self._newest = max(partitions, key=str, default=None)
        self._early = EarlyReports(context)
        self._waiting = dict[str | None, metadata.Metadata]()
        self._last = time.monotonic()
        self._lock = threading.Lock()

    def add(self, landed: Figures) -> None:
        """Add the partitions of a commit; report all waiting ones in one batch if the last report is long ago."""
        with self._lock:
            self._waiting |= {partition: shown for partition, shown in landed.items() if partition != self._newest}
            if time.monotonic() - self._last < EVERY:
                return
            some, self._waiting, self._last = self._waiting, {}, time.monotonic()
        self._report(some)

    def rest(self, landed: Figures) -> Figures:
        """Report the landed partitions, and return those that must be reported at the end of the step.

        This takes Dagster a quarter of the time of its own report at the end, which checks each partition against all.
        """
        self._report({one: shown for one, shown in landed.items() if one != self._newest and one not in self._early})
        return {partition: figures for partition, figures in landed.items() if partition not in self._early}

    def _report(self, some: Figures) -> None:
        self._early.add(
            [dg.AssetMaterialization(self._key, partition=one, metadata=shown) for one, shown in some.items()]
        )


def keep_landed(context: dg.AssetExecutionContext, landed: Figures) -> None:
    """Report the landed partitions of a failed step, which Dagster does not report itself."""
    for partition, figures in landed.items():
        context.log_event(dg.AssetMaterialization(context.asset_key, partition=partition, metadata=figures))


def result(
    context: dg.AssetExecutionContext, warehouse: Warehouse, target: Target, landed: Figures, found: Landed
) -> dg.MaterializeResult:
    """The result of a step. The newest partition also shows the table."""
    today = key_of(context.assets_def.partitions_def, datetime.now(UTC).date())

    def inspect(scratch: duckdb.DuckDBPyConnection) -> tuple[metadata.Metadata, list[Volume]]:
        with warehouse.reading(scratch) as connection:
            shown = {**metadata.of_table(connection, target), **of_days(connection, target)}
            return shown, volumes(connection, target.table, found.partitions, today)

    # a step must not fail because showing a wide table needs more than a run's share of the memory
    with warehouse.scratch_connection() as scratch:
        table, beside = with_room(scratch, partial(inspect, scratch))
    if None in found.partitions:
        beside = whole_volume(context.instance, context.asset_key, table)
    without = not_comparable(context.asset_key.to_user_string(), context.assets_def.partitions_def, found.partitions)
    checks = of_landed(found, target, beside, without)
    if len(landed) <= 1:
        figures = next(iter(landed.values()), {})
        return dg.MaterializeResult(metadata={**table, **figures}, check_results=checks)
    newest = max(landed, key=str)  # reported last, because the UI shows its columns
    for partition, figures in landed.items():
        shown = {**table, **figures} if partition == newest else figures
        context.add_asset_metadata(shown, partition_key=partition)
    return dg.MaterializeResult(check_results=checks)
