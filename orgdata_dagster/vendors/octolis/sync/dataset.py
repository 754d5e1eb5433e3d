"""A dataset of octolis as a destination of write-back.

Here: sending batches, and what octolis' answers mean to the engine. Keep out: YAML (component.py), requests
(vendors/octolis/writing.py), value formats (validation.py).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

import duckdb

from orgdata_dagster.http.errors import PermanentError
from orgdata_dagster.http.records import RequestRecord
from orgdata_dagster.orchestration.instance import pools
from orgdata_dagster.vendors.octolis.merges import Merge, apply_answered_merges
from orgdata_dagster.vendors.octolis.resource import OctolisResource
from orgdata_dagster.vendors.octolis.sync.validation import FORMATS
from orgdata_dagster.vendors.octolis.writing import WRITE_POINTS, Mode, RecordResult
from orgdata_dagster.warehouse.names import TableName
from orgdata_dagster.writeback import payloads
from orgdata_dagster.writeback.columns import ColumnMapping
from orgdata_dagster.writeback.destination import (
    Attempt,
    BatchRefused,
    Busy,
    Observer,
    Pace,
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


class OfAccount:
    """What every destination of an account has. vendor: the account's name."""

    vendor: str

    @property
    def resource(self) -> str:
        """The key of the account's resource."""
        return self.vendor

    @property
    def pool(self) -> str:
        """The account's concurrency pool."""
        return pools.pool(self.vendor)

    def pace(self, resource: OctolisResource) -> Pace:
        """The write requests per minute that octolis allows, and what each costs."""
        return Pace(resource.writes_per_minute, WRITE_POINTS)


@dataclass(frozen=True)
class OctolisDataset(OfAccount):
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

    @contextmanager
    def connect(self, resource: OctolisResource, requests: Callable[[RequestRecord], None]) -> Iterator[Write]:
        """Yield a function that upserts or updates one batch."""
        with resource.writer(requests) as writer:

            def write(rows: Sequence[Row], observer: Observer) -> Sequence[RowResult]:
                records = [json.loads(row.payload) for row in rows]
                try:
                    results = writer.write_batch(self.mode, self.target, records, observer=observing(observer))
                except PermanentError as error:
                    raise recovered(error) from None
                return [_row_result(result) for result in results]

            yield write

    def record_merges(
        self, connection: duckdb.DuckDBPyConnection, results: Sequence[RowResult], run_id: str, now: datetime
    ) -> int:
        """Delete merged records from the tables in `read_into`; returns the number of new merges."""
        merges = [Merge(each.record_id, gone, each.modified_at) for each in results if each.record_id
                  for gone in each.merged_ids]  # fmt: skip
        return sum(apply_answered_merges(connection, table, merges, now, run_id) for table in self.read_into)


def observing(observer: Observer) -> Callable[[RequestRecord], None]:
    """Return an observer of requests that reports each attempt to the engine."""
    return lambda record: observer(Attempt.of_request(record))


def recovered(error: PermanentError) -> PermanentError | Busy:
    """Turn the error into the type by which the engine decides how to recover."""
    if error.status == _BUSY:
        busy = recast(error, Busy)
        busy.remedy = "Run it again when nobody changes the dataset in octolis; it then sends the remaining rows."
        return busy
    return recast(error, BatchRefused) if error.status in _REFUSED else error


def _row_result(result: RecordResult) -> RowResult:
    return RowResult(
        result.written, result.masterid, result.modified_at, result.merged, result.ignored, reason=result.reason
    )
