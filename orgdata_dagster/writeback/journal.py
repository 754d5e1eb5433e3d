"""The record of a delivery: what is about to be sent, and what became of what was sent, a transaction at a time.

Here: what is written together. Keep out: the tables (sent_rows.py, results.py, merges.py), when to write (delivery.py).

Answers, ledger, merges and the intents of the next batches go into one transaction: kill the process at any moment,
and what is recorded agrees with itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from orgdata_dagster.orchestration.assets.request_log import RequestLog
from orgdata_dagster.vendors.octolis.merges import Merge, note_merges
from orgdata_dagster.warehouse.ledger import store as calls
from orgdata_dagster.warehouse.names import TableName, literal
from orgdata_dagster.warehouse.storage.connection import Warehouse
from orgdata_dagster.writeback.definition import Row
from orgdata_dagster.writeback.diff import Diff
from orgdata_dagster.writeback.results import Result, Results
from orgdata_dagster.writeback.sent_rows import SentRows
from orgdata_dagster.writeback.source import COPY


@dataclass(frozen=True)
class Batch:
    """Rows that go in one request."""

    id: str
    rows: Sequence[Row]


@dataclass(frozen=True)
class Settled:
    """A batch whose request is over. `known`: whether it is certain what octolis did with its rows."""

    batch: Batch
    results: Sequence[Result]
    known: bool


@dataclass
class Journal:
    """Writes for one run of one sync. `read_into`: the tables that the dataset is read into."""

    warehouse: Warehouse
    sent_rows: SentRows
    results: Results
    run_id: str
    requests: RequestLog
    read_into: Sequence[TableName] = ()
    merges: int = field(default=0, init=False)

    def open(self, diff: Diff) -> None:
        """Note what the plan found: rows that are wrong, rows in flight that are gone."""
        with self.warehouse.transaction() as connection:
            connection.execute(f"ATTACH {literal(str(diff.path))} AS {COPY} (READ_ONLY)")
            now = datetime.now(UTC)
            calls.create(connection)
            self.sent_rows.create(connection)
            self.results.create(connection)
            self.results.add_rejected(connection, self.sent_rows, self.run_id, now)
            self.results.add_gone(connection, self.sent_rows, self.run_id, now)

    def write(self, settled: Sequence[Settled], begun: Sequence[Batch]) -> None:
        """Note what became of some batches, and that others are about to be sent."""
        if not (settled or begun):
            return
        requests = self.requests.take()
        results = [result for each in settled for result in each.results]
        with self.warehouse.transaction() as connection:
            now = datetime.now(UTC)
            calls.write_requests(connection, requests, self.run_id)
            self.sent_rows.end(connection, [each.batch.id for each in settled if each.known])
            if results:
                self.results.add(connection, results, self.run_id, now)
            if written := [(each.row, each.masterid) for each in results if each.outcome == "written"]:
                self.sent_rows.accept(connection, written, self.run_id, now)
            if rejected := [(each.row, each.reason or "") for each in results if each.outcome == "rejected"]:
                self.sent_rows.reject(connection, rejected, self.run_id, now)
            if merges := _merges(results):
                for table in self.read_into:
                    self.merges += note_merges(connection, table, merges, now, self.run_id)
            for batch in begun:
                self.sent_rows.begin(connection, batch.id, batch.rows, self.run_id, now)


def _merges(results: Sequence[Result]) -> list[Merge]:
    return [
        Merge(each.masterid, merged, each.modified_at) for each in results if each.masterid for merged in each.merged
    ]
