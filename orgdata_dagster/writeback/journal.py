"""The records of a delivery: the batches that are about to be sent, and the results of those that were sent.

Here: the content of each transaction. Keep out: the tables (row_states.py, results.py), when to write (delivery.py).

Results, accepted rows, merges and the record of the next batches are written in the same transaction. The records are
therefore consistent, whenever the process is killed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from orgdata_dagster.orchestration.assets.request_log import RequestLog
from orgdata_dagster.warehouse.ledger import schema
from orgdata_dagster.warehouse.ledger.requests import write_requests
from orgdata_dagster.warehouse.names import literal
from orgdata_dagster.warehouse.storage.connection import Warehouse
from orgdata_dagster.writeback.batch import Batch
from orgdata_dagster.writeback.destination import Destination, Recording
from orgdata_dagster.writeback.diff import Diff
from orgdata_dagster.writeback.results import ResultsTable, RowOutcome
from orgdata_dagster.writeback.row_states import RowStates
from orgdata_dagster.writeback.source import COPY


@dataclass(frozen=True)
class Completed:
    """A completed batch with the outcome of each row.

    certain: whether it is certain what the destination did. If not, the rows stay in flight.
    """

    batch: Batch
    outcomes: Sequence[RowOutcome]
    certain: bool


@dataclass
class Journal:
    """Writes the records of one run of a sync. `merges`: number of new merges in the results."""

    warehouse: Warehouse
    destination: Destination
    row_states: RowStates
    results: ResultsTable
    run_id: str
    requests: RequestLog
    merges: int = field(default=0, init=False)

    def open(self, diff: Diff) -> None:
        """Record the results of the comparison: invalid rows, and rows in flight that the source no longer has."""
        with self._recording() as recording:
            recording.connection.execute(f"ATTACH {literal(str(diff.path))} AS {COPY} (READ_ONLY)")
            schema.create(recording.connection)
            self.row_states.create(recording.connection)
            self.results.create(recording.connection)
            self.row_states.reject_invalid(recording)
            self.results.add_invalid(recording)
            self.row_states.forget_gone(recording.connection)
            self.results.add_gone(recording)

    def record(self, completed: Sequence[Completed], begun: Sequence[Batch]) -> None:
        """Record the outcomes of some batches, and that others are about to be sent."""
        if not (completed or begun):
            return
        requests = self.requests.take()
        outcomes = [outcome for each in completed for outcome in each.outcomes]
        with self._recording() as recording:
            write_requests(recording.connection, requests, self.run_id)
            self.row_states.end(recording.connection, [each.batch.id for each in completed if each.certain])
            if outcomes:
                self.results.add(recording, outcomes)
            if written := [(each.row, each.result.record_id) for each in outcomes if each.outcome == "written"]:
                self.row_states.accept(recording, written)
            if rejected := [(each.row, each.result.reason) for each in outcomes if each.outcome == "rejected"]:
                self.row_states.reject(recording, rejected)
            if merged := [each.result for each in outcomes if each.result.merged_ids]:
                self.merges += self.destination.record_merges(recording, merged)
            for batch in begun:
                self.row_states.begin(recording, batch.id, batch.rows)

    @contextmanager
    def _recording(self) -> Iterator[Recording]:
        with self.warehouse.transaction() as connection:
            yield Recording(connection, self.run_id, datetime.now(UTC))
