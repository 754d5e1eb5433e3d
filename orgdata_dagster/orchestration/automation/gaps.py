"""Missing partitions of a table: partitions that should be complete by now but are not.

Here: `missing_partitions`, from the coverage ledger and Dagster's failed partitions.
Keep out: pulling them (catch_up.py), and printing them (cli/).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime

import dagster as dg
import duckdb

from orgdata_dagster.orchestration.days import day_of
from orgdata_dagster.orchestration.partitions import DAY, end_of, keys_between
from orgdata_dagster.orchestration.resources import WarehouseResource
from orgdata_dagster.orchestration.tags import PullKind
from orgdata_dagster.warehouse.ledger import coverage
from orgdata_dagster.warehouse.ledger.coverage import Reach
from orgdata_dagster.warehouse.ledger.intervals import Interval
from orgdata_dagster.warehouse.names import TableName

Coverage = Mapping[str | None, Sequence[Interval]]

PATIENCE = 10.0  # seconds to wait for the warehouse; Dagster gives a tick 60


def covered(warehouse: WarehouseResource, keys: Sequence[dg.AssetKey]) -> dict[dg.AssetKey, Coverage]:
    """Asset -> the coverage of its table; empty if nothing has landed."""
    with _reading(warehouse) as connection:
        return {key: coverage.known(connection, TableName(*key.path)) if connection else {} for key in keys}


def reaches(warehouse: WarehouseResource, keys: Iterable[dg.AssetKey]) -> dict[dg.AssetKey, Reach]:
    """Asset -> how far its table's partitions are covered."""
    with _reading(warehouse) as connection:
        found = coverage.reaches(connection) if connection else {}
    return {key: found.get(TableName(*key.path), Reach()) for key in keys}


def waiting_for(warehouse: WarehouseResource, words: str) -> dict[dg.AssetKey, list[str | None]]:
    """Asset -> its partitions that are incomplete for a reason that contains `words`."""
    with _reading(warehouse) as connection:
        found = coverage.waiting_for(connection, words) if connection else {}
    return {dg.AssetKey([table.schema, table.name]): partitions for table, partitions in found.items()}


@contextmanager
def _reading(warehouse: WarehouseResource) -> Iterator[duckdb.DuckDBPyConnection | None]:
    """A connection to the warehouse; None if there is no warehouse yet."""
    opened = warehouse.open()
    opened.patience = min(opened.patience, PATIENCE)
    if not opened.exists:
        yield None
        return
    with opened.reading() as connection:
        yield connection


def missing_partitions(
    instance: dg.DagsterInstance,
    key: dg.AssetKey,
    kind: PullKind,
    partitions: dg.PartitionsDefinition | None,
    reach: Reach,
    now: datetime,
) -> list[str | None]:
    """The partitions (None: the whole table) to pull again, oldest first.

    With kind "days" these are the partitions between the first covered one and now that are not covered to their end or
    are incomplete, and the partitions whose last run failed, including today. A table that was never pulled has no
    missing partitions, because the schedule decides where to start.
    """
    if kind == "days" and isinstance(partitions, dg.TimeWindowPartitionsDefinition):
        failed = _failed(instance, key, partitions, now)
        closed = [name for name in _since_first(partitions, reach, now) if _missing(reach, partitions, name)]
        return [*sorted({*closed, *failed})]
    if kind == "today":
        newest = max(reach.ends.values(), default=None)
        missed = newest is not None and now.timestamp() - newest > 1.05 * DAY.total_seconds()
        return [now.date().isoformat()] if missed or _last_run_failed(instance, key) else []
    return [None] if None in reach.incomplete or _last_run_failed(instance, key) else []


def _since_first(partitions: dg.TimeWindowPartitionsDefinition, reach: Reach, now: datetime) -> list[str]:
    """The closed partitions from the first covered one on, or from the configured start if that is later.

    The ledger may have partitions of an earlier configuration, with another start, or weeks instead of days.
    """
    names = sorted(name for name in reach.ends if name is not None)
    first = next((day for name in names if (day := day_of(name)) is not None), None)
    if first is None or partitions.start.date() > now.date():
        return []
    return keys_between(partitions, first, now.date())[:-1]


def _missing(reach: Reach, partitions: dg.TimeWindowPartitionsDefinition, name: str) -> bool:
    return reach.ends.get(name, 0.0) < end_of(partitions, name) or name in reach.incomplete


def _failed(
    instance: dg.DagsterInstance, key: dg.AssetKey, partitions: dg.TimeWindowPartitionsDefinition, now: datetime
) -> set[str]:
    every = keys_between(partitions, partitions.start.date(), now.date())
    found = instance.get_status_by_partition(key, every, partitions) or {}
    return {name for name, status in found.items() if status == dg.AssetPartitionStatus.FAILED}


def _last_run_failed(instance: dg.DagsterInstance, key: dg.AssetKey) -> bool:
    [*records] = instance.get_asset_records([key])
    entry = records[0].asset_entry if records else None
    if entry is None or entry.last_run_id is None:
        return False
    landed = entry.last_materialization
    if landed is not None and landed.run_id == entry.last_run_id:
        return False
    run = instance.get_run_by_id(entry.last_run_id)
    return run is not None and run.status == dg.DagsterRunStatus.FAILURE
