"""The materializations of a step's partitions, as the rows that Dagster itself would store.

Here: `MaterializationRows`, which makes the row of an event from a template. Keep out: storing rows (event_log.py),
creating events (early_reports.py, Dagster).

Why: Dagster packs every object of an event and sorts its fields, which takes 0.3 ms per partition. The events of a
step's partitions only differ in the partition, the time and the values of the metadata.
Fallback: an event that does not fit a template is serialized by Dagster.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import dagster as dg
from dagster._core.events import StepMaterializationData
from dagster._core.events.log import EventLogEntry

Row = dict[str, Any]
Metadata = Mapping[str, dg.MetadataValue]

_PARTITION, _TIME = "a partition of this step", 4242424242.25  # placeholders for the values of each row
_NUMBERS = 5_151_515_151  # the first placeholder of metadata with numbers; each further one is greater by one


class _Placeholder(NamedTuple):
    """How metadata of a kind are replaced in a template: by which value, and the JSON of a value."""

    value: Callable[[int], dg.MetadataValue]
    text: Callable[[Any], str]


_KINDS: Mapping[type[Any], _Placeholder] = {
    dg.IntMetadataValue: _Placeholder(dg.MetadataValue.int, int.__repr__),
    dg.FloatMetadataValue: _Placeholder(lambda number: dg.MetadataValue.float(number + 0.5), float.__repr__),
    dg.TimestampMetadataValue: _Placeholder(lambda number: dg.MetadataValue.timestamp(number + 0.5), float.__repr__),
    dg.TextMetadataValue: _Placeholder(lambda number: dg.MetadataValue.text(f"text {number}"), json.dumps),
    dg.MarkdownMetadataValue: _Placeholder(lambda number: dg.MetadataValue.md(f"text {number}"), json.dumps),
}
_TYPES = {int, float, str}


class MaterializationRows:
    """Makes the rows of events. The last template is kept, because the partitions of a step usually have one shape.

    to_row: returns Dagster's row of an event.
    """

    def __init__(self, to_row: Callable[[EventLogEntry], Mapping[str, Any]]) -> None:
        self._to_row = to_row
        self._shape: tuple[object, ...] | None = None
        self._template: _Template | None = None

    def __call__(self, event: EventLogEntry) -> Row:
        """The row of an event."""
        data = event.dagster_event.event_specific_data if event.dagster_event else None
        if not isinstance(data, StepMaterializationData) or data.materialization.partition is None:
            return dict(self._to_row(event))
        if (values := _values(data.materialization.metadata)) is None:
            return dict(self._to_row(event))
        shape = _shape(event, data)
        if shape != self._shape:
            self._shape, self._template = shape, _template(event, data, self._to_row)
        if self._template is None:
            return dict(self._to_row(event))
        return self._template.row(data.materialization.partition, event.timestamp, values)


class _Template(NamedTuple):
    """A row with gaps: `pieces` of the event's JSON, and between them the values with these numbers."""

    model: Mapping[str, Any]
    pieces: Sequence[str]
    order: Sequence[int]

    def row(self, partition: str, at: float, values: Sequence[str]) -> Row:
        """The row of a partition. `values`: JSON of its metadata."""
        every = [json.dumps(partition), repr(at), *values]
        text = self.pieces[0] + "".join(
            [every[number] + piece for number, piece in zip(self.order, self.pieces[1:], strict=True)]
        )
        return {**self.model, "event": text, "partition": partition, "timestamp": stored_time(at)}


def stored_time(at: float) -> datetime:
    """A time as Dagster stores it: in UTC, without a time zone."""
    return datetime.fromtimestamp(at, UTC).replace(tzinfo=None)


def _values(metadata: Metadata) -> list[str] | None:
    """JSON of the values that a template replaces; None if one of them cannot be replaced."""
    found = []
    for each in metadata.values():
        kind = _KINDS.get(type(each))
        if kind is None:
            continue
        value: Any = each.value
        if type(value) not in _TYPES or (type(value) is float and not math.isfinite(value)):
            return None
        found.append(kind.text(value))
    return found


def _shape(event: EventLogEntry, data: StepMaterializationData) -> tuple[object, ...]:
    """Everything about an event that its template does not replace."""
    found, dagster_event = data.materialization, event.get_dagster_event()
    return (
        event._replace(timestamp=0.0, dagster_event=None),
        dagster_event._replace(event_specific_data=None),
        data.asset_lineage,
        found._replace(partition=None, metadata={}),
        [(name, _unreplaced(each)) for name, each in found.metadata.items()],
    )


def _unreplaced(value: dg.MetadataValue) -> object:
    """What a template does not replace of a metadata value, so that different JSON means different values."""
    if type(value) in _KINDS:
        return type(value)
    # equal values of these kinds may have different JSON: {"a": 1} == {"a": True}
    return repr(value) if isinstance(value, (dg.JsonMetadataValue, dg.TableMetadataValue)) else value


def _template(
    event: EventLogEntry, data: StepMaterializationData, to_row: Callable[[EventLogEntry], Mapping[str, Any]]
) -> _Template | None:
    """The template of events with the shape of this one; None if a placeholder is not found exactly once."""
    metadata, wanted = dict[str, dg.MetadataValue](), [json.dumps(_PARTITION), repr(_TIME)]
    for number, (name, each) in enumerate(data.materialization.metadata.items(), _NUMBERS):
        kind = _KINDS.get(type(each))
        metadata[name] = kind.value(number) if kind else each
        wanted += [kind.text(metadata[name].value)] if kind else []
    model = event._replace(
        timestamp=_TIME,
        dagster_event=event.get_dagster_event()._replace(
            event_specific_data=data._replace(
                materialization=data.materialization._replace(partition=_PARTITION, metadata=metadata)
            )
        ),
    )
    row = to_row(model)
    text = row["event"]
    if any(text.count(each) != 1 for each in wanted):
        return None
    order = sorted(range(len(wanted)), key=lambda number: text.index(wanted[number]))
    pieces = []
    for number in order:
        piece, _, text = text.partition(wanted[number])
        pieces.append(piece)
    return _Template(row, [*pieces, text], order)
