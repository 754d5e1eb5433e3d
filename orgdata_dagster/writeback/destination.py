"""The interface between the engine and a destination.

Here: `Destination`, the values that a destination and the engine exchange, and the errors of a destination
to which the engine reacts.
Add here when: the engine needs another fact about every destination.
Keep out: one vendor's own rules (its folder under vendors/), and the reactions to answers (delivery.py).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Self, TypeVar

import duckdb

from orgdata_dagster.http.clock import SYSTEM, Clock
from orgdata_dagster.http.errors import PermanentError, TransientError, VendorError
from orgdata_dagster.http.records import RequestRecord
from orgdata_dagster.orchestration.instance import pools

E = TypeVar("E", bound=VendorError)


@dataclass(frozen=True)
class Row:
    """A row to send.

    number: its position in the source, from 1.
    key: the values of its key columns, as a JSON array.
    hash: hash of the payload; two rows with the same hash have the same payload.
    rest: hash of the values outside the key; None if the row consists of its key.
    payload: the data to send, as JSON.
    again: why the destination may have the row already; None if it cannot have it.
    """

    number: int
    key: str
    hash: str
    rest: str | None
    payload: str
    again: str | None = None


@dataclass(frozen=True)
class RowResult:
    """The destination's answer for one row.

    record_id: the destination's id of the record that it wrote.
    modified_at: when the record was modified, in the destination's format.
    merged_ids: ids of records that were merged into this one and no longer exist.
    ignored_columns: columns whose values the destination ignored, because it protects them.
    reason: why the row was not written; empty if it was.
    """

    written: bool
    record_id: str | None = None
    modified_at: str | None = None
    merged_ids: tuple[str, ...] = ()
    ignored_columns: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class Attempt:
    """One attempt to write a batch; a client that retries makes several per batch.

    seconds: duration.
    lost: why the rows may have been written although the attempt failed; None if that is impossible.
    request_ids: header -> value, for a support ticket with the vendor.
    """

    seconds: float
    lost: str | None = None
    request_ids: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_request(cls, record: RequestRecord) -> Self:
        """The attempt that this HTTP request was part of.

        If there was no answer, a broken answer or a 5xx, the vendor may have written the rows.
        """
        uncertain = record.status is None or record.status < 300 or record.status >= 500
        lost = f"no answer: {record.error.removeprefix('no answer: ')}" if record.error and uncertain else None
        return cls(record.seconds, lost, record.request_ids)


AttemptObserver = Callable[[Attempt], None]
Write = Callable[[Sequence[Row], AttemptObserver], Sequence[RowResult]]
"""Writes one batch and returns one result per row, in the order of the rows. It calls the observer once per attempt.

It may be called from several threads at once. It may receive a row that it has written before, and must be idempotent.

Raises Busy, BatchRefused, or any other VendorError, which ends the delivery.
"""


class Busy(TransientError):
    """The destination accepts nothing at the moment: the engine waits and sends the batch again."""


class BatchRefused(PermanentError):
    """The destination refused the batch as a whole because of its content: the engine sends its halves."""


def recast(error: VendorError, kind: type[E]) -> E:
    """The same error as one of another kind."""
    return kind(
        error.message,
        vendor=error.vendor,
        endpoint=error.endpoint,
        status=error.status,
        code=error.code,
        request_ids=error.request_ids,
        remedy=error.remedy,
    )


@dataclass(frozen=True)
class Pace:
    """How fast a destination accepts batches.

    requests_per_minute: number of requests that its limits allow in the long run; a request sends one batch.
    cost: cost of one request, in points of the vendor's rate limit.
    at_once: number of requests that may be in flight at the same time.
    busy_wait: seconds until a busy destination is tried again.
    patience: seconds until the engine gives up on a busy destination.
    """

    requests_per_minute: float
    cost: float = 1
    at_once: int = 16
    busy_wait: float = 5
    patience: float = 600
    clock: Clock = SYSTEM

    @property
    def spacing(self) -> float:
        """Seconds between two requests in the long run."""
        return 60 / self.requests_per_minute


@dataclass(frozen=True)
class ResultColumn:
    """A column that a destination adds to the table of results.

    type: a DuckDB type.
    value: the row's result and the request ids of the last attempt -> the column's value.
    """

    type: str
    description: str
    value: Callable[[RowResult, Mapping[str, str]], object]


@dataclass(frozen=True)
class Recording:
    """A transaction that records the results of a run."""

    connection: duckdb.DuckDBPyConnection
    run_id: str
    now: datetime


class Destination(ABC):
    """A place to which rows are written: a dataset of a vendor, a webhook, a table of another database.

    vendor: the vendor's name: in the asset key, as schema of the table of results, and in messages.
    target: the vendor's id of this place. Rows that were accepted under another id do not count as sent here.
    batch_size: rows per request, at most.
    result_columns: additional columns of the table of results: name -> column.
    """

    vendor: str
    target: str
    batch_size: int
    result_columns: ClassVar[Mapping[str, ResultColumn]] = {}

    @property
    def resource(self) -> str:
        """The key of its Dagster resource."""
        return self.vendor

    @property
    def pool(self) -> str:
        """The concurrency pool of the asset."""
        return pools.pool(self.vendor)

    @abstractmethod
    def pace(self, resource: Any) -> Pace:
        """How fast it accepts batches with this resource."""

    @abstractmethod
    def fill(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Fill the table `rows` from the table `source`: one payload per row, or its problems. See payloads.py.

        Raises PermanentError if no row can be sent, for example because a column is missing.
        """

    @abstractmethod
    def connect(self, resource: Any, requests: Callable[[RequestRecord], None]) -> AbstractContextManager[Write]:
        """Open the destination for writing. `requests` is called for every HTTP request, for the ledger."""

    def record_merges(self, recording: Recording, results: Sequence[RowResult]) -> int:  # noqa: ARG002
        """Record in the warehouse which records were merged into others, if the destination merges records.

        results: the results with `merged_ids`.

        Returns the number of merges that were not known before.
        """
        return 0
