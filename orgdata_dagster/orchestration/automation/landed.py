"""Detecting whether something upstream of an asset has landed since the asset's last run started.

Here: `LandedSinceLastRun`, an automation condition that compares the event log with the runs.
Add here when: a condition needs the same comparison.
Keep out: the conditions that users put on their assets (conditions.py).

Dagster's `any_deps_updated().since_last_handled()` compares two ticks instead. A table that lands while the downstream
asset runs, in the same tick, then counts as handled, and its rows are never read. Here the order of events decides, so
it does not matter when ticks happen or whether one is missed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Any

import dagster as dg

Landing = tuple[dg.AssetKey, str | None, int]
"""An upstream asset, its partition (None: it has none), and the storage id of the newest materialization."""

if TYPE_CHECKING:
    Subset = Any  # Dagster's EntitySubset, which has no public name


class LandedSinceLastRun(dg.AutomationCondition):
    """True for partitions whose newest upstream materialization is later than the start of their last run.

    A failed run counts as a run, so the asset runs again after the next landing. A partition that never ran is included
    if it is in the latest time window, or if something landed for it after the first evaluation; users launch older
    ones themselves. An asset without partitions that never ran is included as soon as something upstream has landed.
    """

    @property
    def name(self) -> str:
        """The name that the UI shows."""
        return "landed_since_last_run"

    def evaluate(self, context: dg.AutomationContext) -> dg.AutomationResult:
        """Evaluate the condition. The cursor is the id of the newest event at the first evaluation."""
        since = int(context.cursor or context.max_storage_id or 0)
        subset = context.get_empty_subset()
        if isinstance(context.key, dg.AssetKey) and not context.candidate_subset.is_empty:
            subset = _landed(context, since)
        return dg.AutomationResult(context, subset, cursor=str(since))


def _landed(context: dg.AutomationContext, since: int) -> Subset:
    view, key, candidates = context.asset_graph_view, context.key, context.candidate_subset
    instance = view.instance
    parents = context.asset_graph.get(key).parent_keys - {key}
    # ids follow the order of events, so an event older than a run's creation is older than its start
    if context.partitions_def is None:
        last = instance.get_latest_planned_materialization_info(key)
        landings = [each for each in _landings(context, parents, candidates) if not last or each[2] > last.storage_id]
        newer = any(_newer(instance, key, None, *landing) for landing in landings)
        return candidates if newer else context.get_empty_subset()
    planned = instance.event_log_storage.get_latest_storage_id_by_partition(
        key, dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED
    )
    latest = view.compute_latest_time_window_subset(key).expensively_compute_partition_keys()
    wanted: set[str] = set()
    for mine, parent, partition, at in _pairs(context, _landings(context, parents, candidates)):
        handled = planned.get(mine, 0 if mine in latest else since)
        if mine in wanted or at <= handled:
            continue
        if mine not in planned or _newer(instance, key, mine, parent, partition, at):
            wanted.add(mine)
    return candidates.compute_intersection_with_partition_keys(wanted)


def _landings(context: dg.AutomationContext, parents: set[dg.AssetKey], candidates: Subset) -> Iterator[Landing]:
    """Yield the newest materialization of every upstream partition."""
    instance = context.asset_graph_view.instance
    for parent in sorted(parents):
        if context.asset_graph.get(parent).partitions_def is None:
            if records := instance.fetch_materializations(parent, limit=1).records:
                yield parent, None, records[0].storage_id
            continue
        needed = candidates.compute_parent_subset(parent).expensively_compute_partition_keys()
        landed = instance.event_log_storage.get_latest_storage_id_by_partition(
            parent, dg.DagsterEventType.ASSET_MATERIALIZATION
        )
        for partition, at in landed.items():
            if partition in needed:
                yield parent, partition, at


def _pairs(
    context: dg.AutomationContext, landings: Iterable[Landing]
) -> Iterator[tuple[str, dg.AssetKey, str | None, int]]:
    """Yield every candidate partition of the asset with every landing that it depends on."""
    candidates = context.candidate_subset
    mine = candidates.expensively_compute_partition_keys()
    for parent, group in groupby(landings, key=lambda landing: landing[0]):
        landed = {partition: at for _, partition, at in group}
        for child, partition in _mapped(context, parent, landed.keys(), mine):
            if child in mine:
                yield child, parent, partition, landed[partition]


def _mapped(
    context: dg.AutomationContext, parent: dg.AssetKey, landed: Collection[str | None], mine: Collection[str]
) -> Iterator[tuple[str, str | None]]:
    """Yield the asset's partitions with the upstream partitions that they depend on, with few queries to Dagster."""
    graph, whole = context.asset_graph, context.asset_graph_view.get_full_subset(key=parent)
    mapping = graph.get(context.key).partition_mappings.get(parent)
    alike = graph.get(parent).partitions_def == context.partitions_def
    if alike and (mapping is None or isinstance(mapping, dg.IdentityPartitionMapping)):
        yield from ((str(partition), partition) for partition in landed)
    elif not whole.is_partitioned:
        children = whole.compute_child_subset(context.key).expensively_compute_partition_keys()
        yield from ((child, None) for child in children)
    elif len(mine) < len(landed):
        for child in mine:
            one = context.candidate_subset.compute_intersection_with_partition_keys({child})
            needed = one.compute_parent_subset(parent).expensively_compute_partition_keys()
            yield from ((child, partition) for partition in needed if partition in landed)
    else:
        for partition in landed:
            one = whole.compute_intersection_with_partition_keys({str(partition)})
            children = one.compute_child_subset(context.key).expensively_compute_partition_keys()
            yield from ((child, partition) for child in children)


def _newer(
    instance: dg.DagsterInstance,
    key: dg.AssetKey,
    mine: str | None,
    parent: dg.AssetKey,
    partition: str | None,
    at: int,
) -> bool:
    """Whether a landing, given by its storage id, is later than the start of the asset's last run for a partition."""
    planned = instance.get_latest_planned_materialization_info(key, mine)
    if planned is None:
        return True
    run = instance.get_run_record_by_id(planned.run_id)
    if run is None or run.start_time is None:
        return True  # it did not start, so it has read nothing
    partitions = [partition] if partition is not None else None
    found = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=parent, asset_partitions=partitions, after_storage_id=at - 1), limit=1
    ).records
    # in a run of both assets, the asset's step runs after the upstream one
    return bool(found) and found[0].run_id != planned.run_id and found[0].timestamp > run.start_time
