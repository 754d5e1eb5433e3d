"""What the engine knows about its destination.

What lives here: the protocol `Destination`, the values that a destination and the engine exchange, and the errors that
a destination raises for the engine to act on.
Add here when: the engine needs to know one more thing about every destination.
Keep out: one vendor's own rules (its folder under vendors/), and what the engine does with the answers (delivery.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, Self, TypeVar

import duckdb

from orgdata_dagster.http.clock import SYSTEM, Clock
from orgdata_dagster.http.errors import PermanentError, TransientError, VendorError
from orgdata_dagster.http.records import RequestRecord

E = TypeVar("E", bound=VendorError)


@dataclass(frozen=True)
class Row:
    """A row to send.

    `number`: its position in the source, from 1.
    `key`: the values of its key columns, as a JSON array.
    `hash`: of the payload; two rows with the same hash have the same payload.
    `rest`: hash of the values beside the key; None if there are none.
    `payload`: what is sent, as JSON.
    `again`: why the destination may have the row already; None if it cannot have it.
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

    `record_id`: the destination's id of the record that it wrote.
    `modified_at`: when the record was modified, as the destination writes it.
    `merged_ids`: records that were merged into this one, and are gone.
    `ignored_columns`: columns whose values the destination ignored, because it protects them.
    `reason`: why the row was not written; empty if it was.
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

    `seconds`: how long it took.
    `lost`: why the rows may have been written although the attempt failed; None if that is impossible.
    `request_ids`: what the vendor asks for in a support ticket, by the name of the header.
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


Observer = Callable[[Attempt], None]
Write = Callable[[Sequence[Row], Observer], Sequence[RowResult]]
"""Writes one batch and returns one result per row, in the order of the rows. It calls the observer once per attempt.

It may be called from several threads at once. It may receive a row that it has written before; the destination must
then be as if the row had come once. Raises Busy, BatchRefused, or any other VendorError, which ends the delivery.
"""


class Busy(TransientError):
    """The destination takes nothing at the moment: the engine waits and sends the batch again."""


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
    """How fast a destination takes batches.

    `requests_per_minute`: what its limits allow in the long run; a request is one batch.
    `cost`: of one request, in the points of the vendor's rate limit.
    `at_once`: requests that may be under way at the same time.
    `busy_wait`: seconds until a busy destination is tried again; `patience`: seconds until the engine gives up.
    """

    requests_per_minute: float
    cost: float = 1
    at_once: int = 16
    busy_wait: float = 5
    patience: float = 600
    clock: Clock = SYSTEM

    @property
    def spacing(self) -> float:
        """Seconds from one request to the next that the limits allow in the long run."""
        return 60 / self.requests_per_minute


@dataclass(frozen=True)
class ResultColumn:
    """A column that a destination adds to the table of results.

    `type`: a DuckDB type. `value`: its value, out of the row's result and the request ids of the last attempt.
    """

    type: str
    description: str
    value: Callable[[RowResult, Mapping[str, str]], object]


class Destination(Protocol):
    """A place that rows are written to: a dataset of a vendor, a webhook, a table of another database."""

    @property
    def vendor(self) -> str:
        """The vendor's name: in the asset key, as schema of the table of results, and in messages."""

    @property
    def resource(self) -> str:
        """The key of the Dagster resource that it is reached with."""

    @property
    def pool(self) -> str:
        """The concurrency pool of the asset."""

    @property
    def target(self) -> str:
        """The vendor's id of this place. Rows that were accepted under another id do not count as sent here."""

    @property
    def batch_size(self) -> int:
        """Rows per request, at most."""

    @property
    def result_columns(self) -> Mapping[str, ResultColumn]:
        """Columns of the table of results besides the engine's own, by name."""

    def pace(self, resource: Any) -> Pace:
        """How fast it takes batches with this resource."""

    def fill(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Fill the table `rows` from the table `source`: one payload per row, or its problems. See payloads.py.

        Raises PermanentError if no row can be sent, for example because a column is missing.
        """

    def connect(self, resource: Any, requests: Callable[[RequestRecord], None]) -> AbstractContextManager[Write]:
        """Open it for writing. `requests` sees every HTTP request, for the ledger."""

    def record_merges(
        self, connection: duckdb.DuckDBPyConnection, results: Sequence[RowResult], run_id: str, now: datetime
    ) -> int:
        """Note in the warehouse which records were merged into others, in the transaction that records the results.

        `results`: those with `merged_ids`. Returns the number of merges that were not known before.
        """
