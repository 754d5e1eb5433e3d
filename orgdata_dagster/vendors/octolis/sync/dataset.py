"""A dataset of octolis as a destination of write-back.

Here: sending batches, and what octolis' answers mean to the engine. Keep out: YAML (component.py), requests
(vendors/octolis/writing.py), value formats (validation.py).
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

import duckdb

from orgdata_dagster.http.errors import PermanentError
from orgdata_dagster.http.records import Observer, RequestRecord
from orgdata_dagster.vendors.octolis.merges import Merge, apply_answered_merges
from orgdata_dagster.vendors.octolis.resource import OctolisResource
from orgdata_dagster.vendors.octolis.sync.validation import FORMATS
from orgdata_dagster.vendors.octolis.writing import WRITE_POINTS, Mode, OctolisWriter
from orgdata_dagster.warehouse.names import TableName
from orgdata_dagster.writeback import payloads
from orgdata_dagster.writeback.columns import ColumnMapping
from orgdata_dagster.writeback.destination import (
    Attempt,
    AttemptObserver,
    BatchRefused,
    Busy,
    Destination,
    Pace,
    Recording,
    ResultColumn,
    Row,
    RowResult,
    Write,
    recast,
)

VENDOR = OctolisResource.kind
_BUSY = 423
_REFUSED = (400, 413)

REQUEST_IDS = {
    "apigw_requestid": ResultColumn(
        "VARCHAR", "Header of the answer, for a support ticket.", lambda _, ids: ids.get("apigw-requestid")
    ),
    "traceparent": ResultColumn(
        "VARCHAR", "Header of the answer, for a support ticket.", lambda _, ids: ids.get("traceparent")
    ),
}
_COLUMNS = {
    "masterid": ResultColumn("VARCHAR", "octolis' id of the record.", lambda result, _: result.record_id),
    "merged_masterids": ResultColumn(
        "VARCHAR[]",
        "Records that were merged into this one and no longer exist.",
        lambda result, _: list(result.merged_ids),
    ),
    "ignored_columns": ResultColumn(
        "VARCHAR[]", "Protected columns: octolis ignores their values.", lambda result, _: list(result.ignored_columns)
    ),
    **REQUEST_IDS,
}


class OctolisDestination(Destination):
    """What every destination of an account has in common. vendor: the account's name."""

    def pace(self, resource: OctolisResource) -> Pace:
        """The write requests per minute that octolis allows, and what each costs."""
        return Pace(resource.limits.writes_per_minute, WRITE_POINTS)

    @contextmanager
    def connect(self, resource: OctolisResource, requests: Callable[[RequestRecord], None]) -> Iterator[Write]:
        """Yield a function that writes one batch."""
        with resource.writer(requests) as writer:

            def write(rows: Sequence[Row], observer: AttemptObserver) -> Sequence[RowResult]:
                try:
                    return self.send(writer, rows, lambda record: observer(Attempt.of_request(record)))
                except PermanentError as error:
                    raise _recovered(error) from None

            yield write

    @abstractmethod
    def send(self, writer: OctolisWriter, rows: Sequence[Row], observer: Observer) -> Sequence[RowResult]:
        """Send one batch; returns one result per row."""


@dataclass(frozen=True)
class OctolisDataset(OctolisDestination):
    """A dataset as a destination.

    target: the dataset's id.
    read_into: the tables of the warehouse that orgdata reads the dataset into.
    vendor: the name of the account.
    """

    result_columns: ClassVar[Mapping[str, ResultColumn]] = _COLUMNS

    target: str
    mode: Mode
    fields: ColumnMapping
    batch_size: int
    read_into: tuple[TableName, ...] = ()
    vendor: str = VENDOR

    def fill(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Fill `rows` from `source`, with one record per row."""
        payloads.fill(connection, self.fields, FORMATS)

    def send(self, writer: OctolisWriter, rows: Sequence[Row], observer: Observer) -> Sequence[RowResult]:
        """Upsert or update one batch."""
        records = [json.loads(row.payload) for row in rows]
        return [
            RowResult(each.written, each.masterid, each.modified_at, each.merged, each.ignored, reason=each.reason)
            for each in writer.write_batch(self.mode, self.target, records, observer=observer)
        ]

    def record_merges(self, recording: Recording, results: Sequence[RowResult]) -> int:
        """Delete merged records from the tables in `read_into`; returns the number of new merges."""
        merges = [Merge(each.record_id, gone, each.modified_at) for each in results if each.record_id
                  for gone in each.merged_ids]  # fmt: skip
        return sum(
            apply_answered_merges(recording.connection, table, merges, recording.now, recording.run_id)
            for table in self.read_into
        )


def _recovered(error: PermanentError) -> PermanentError | Busy:
    """Turn the error into the type by which the engine decides how to recover."""
    if error.status == _BUSY:
        busy = recast(error, Busy)
        busy.remedy = "Run it again when nobody changes the dataset in octolis; it then sends the remaining rows."
        return busy
    return recast(error, BatchRefused) if error.status in _REFUSED else error
