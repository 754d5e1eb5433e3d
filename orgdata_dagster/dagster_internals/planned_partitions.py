"""The planned partitions of a run, as the rows that Dagster itself would store.

Here: `with_partitions`, which creates the rows of one event with many partitions. Keep out: storing them
(event_log.py).

Why: Dagster creates, checks and serializes one event per planned partition. These events only differ in the partition
and the time; for a year of days, they took a fifth of a pull's CPU time. A storage may request one event for all
partitions, but then the UI does not show which partitions are in progress or have failed.
Fallback: Dagster creates one event per partition.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dagster._core.events import AssetMaterializationPlannedData
from dagster._core.events.log import EventLogEntry

from orgdata_dagster.dagster_internals.materialization_rows import Row, stored_time

_PARTITION, _TIME = "a partition of this run", 4242424242.25  # placeholders for the values of each row


def plan_of_partitions(event: EventLogEntry) -> AssetMaterializationPlannedData | None:
    """The plan in this event; None if the event does not plan several partitions."""
    found = event.dagster_event.event_specific_data if event.dagster_event else None
    return found if isinstance(found, AssetMaterializationPlannedData) and found.partitions_subset else None


def with_partitions(
    event: EventLogEntry, to_row: Callable[[EventLogEntry], Mapping[str, Any]], apart: float
) -> Sequence[Row]:
    """A row per partition that the event plans; a single row for any other event.

    to_row: returns Dagster's row of an event.
    apart: seconds between the times of two rows; the last row has the event's time.
    """
    if (data := plan_of_partitions(event)) is None or data.partitions_subset is None:
        return [dict(to_row(event))]
    one = data._replace(partition=_PARTITION, partitions_subset=None)
    model = event._replace(timestamp=_TIME, dagster_event=event.get_dagster_event()._replace(event_specific_data=one))
    row, keys, rows = to_row(model), list(data.partitions_subset.get_partition_keys()), []
    for left, key in zip(range(len(keys) - 1, -1, -1), keys, strict=True):
        at = event.timestamp - left * apart
        text = row["event"].replace(json.dumps(_PARTITION), json.dumps(key)).replace(str(_TIME), repr(at))
        rows.append({**row, "event": text, "partition": key, "timestamp": stored_time(at)})
    return rows
