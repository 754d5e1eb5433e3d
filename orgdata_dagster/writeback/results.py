"""The table `<vendor>.<name>_results`: the result of every row that was sent or rejected, for each run.

Here: the table and its columns. Add here: another fact about the result of a row. Keep out: the present state of a key
(row_states.py), columns of only one destination (its `result_columns`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import duckdb

from orgdata_dagster.warehouse.catalog import table_columns
from orgdata_dagster.warehouse.names import LOADED_AT, RUN_ID, TableName, literal, quoted
from orgdata_dagster.writeback.destination import Recording, ResultColumn, Row, RowResult
from orgdata_dagster.writeback.row_states import GONE, INVALID

Outcome = Literal["written", "rejected", "not sent", "unknown"]


@dataclass(frozen=True)
class RowOutcome:
    """The outcome of sending a row in one batch.

    result: the destination's answer.
    position: the row's position in the batch, from 0.
    attempts: number of requests for the batch.
    again: why the destination may have received the row more than once; None if it cannot have.
    request_ids: request ids of the batch's last attempt.
    """

    row: Row
    outcome: Outcome
    result: RowResult
    batch_id: str
    position: int
    attempts: int
    again: str | None = None
    request_ids: Mapping[str, str] = field(default_factory=dict)


# name: DuckDB type, description
_OUTCOME = {
    "outcome": ("VARCHAR", "written, rejected, not sent (the request failed before it), unknown (no answer was read)."),
    "row": ("BIGINT", "Position of the row in the source of that run, from 1."),
    "key": ("VARCHAR", "Values of the key columns as a JSON array; NULL if they are not a valid key."),
    "payload_hash": ("VARCHAR", "Rows with the same hash had the same payload."),
    "reason": ("VARCHAR", "Why the row was not written."),
    "sent_again": ("VARCHAR", "Why the vendor may have received it more than once; NULL: it was sent once."),
    "batch_id": ("VARCHAR", "The batch that it was sent in; NULL: rejected before anything was sent."),
    "position": ("INTEGER", "Position in the batch, from 0, by which answers are matched."),
    "attempts": ("INTEGER", "Number of requests that the batch took."),
}
_RECORDED = {
    LOADED_AT: ("TIMESTAMP WITH TIME ZONE", "When this was recorded."),
    RUN_ID: ("VARCHAR", "The Dagster run."),
}


@dataclass(frozen=True)
class ResultsTable:
    """The table of one sync. `own`: the destination's additional columns."""

    table: TableName
    own: Mapping[str, ResultColumn]

    @property
    def columns(self) -> dict[str, tuple[str, str]]:
        """All columns: name -> type, description."""
        own = {name: (column.type, column.description) for name, column in self.own.items()}
        return {**_OUTCOME, **own, **_RECORDED}

    def create(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Create the table, or add missing columns."""
        there = table_columns(connection, self.table)
        missing = {name: each for name, each in self.columns.items() if name not in there}
        if not there:
            columns = ", ".join(f"{quoted(name)} {kind}" for name, (kind, _) in missing.items())
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(self.table.schema)}")
            connection.execute(f"CREATE TABLE {self.table.sql} ({columns})")
            text = "One row per row of the source and sending: its result. Also rows rejected before anything was sent."
            connection.execute(f"COMMENT ON TABLE {self.table.sql} IS {literal(text)}")
        for name, (kind, about) in missing.items():
            if there:
                connection.execute(f"ALTER TABLE {self.table.sql} ADD COLUMN {quoted(name)} {kind}")
            connection.execute(f"COMMENT ON COLUMN {self.table.sql}.{quoted(name)} IS {literal(about)}")

    def add(self, recording: Recording, outcomes: Sequence[RowOutcome]) -> None:
        """Record the outcomes of rows that were sent."""
        rows = [
            (
                *(each.outcome, each.row.number, each.row.key, each.row.hash, each.result.reason or None),
                *(each.again, each.batch_id, each.position, each.attempts),
                *(column.value(each.result, each.request_ids) for column in self.own.values()),
                *(recording.now, recording.run_id),
            )
            for each in outcomes
        ]
        values = ", ".join(f"unnest(CAST(? AS {kind}[])) AS {quoted(name)}" for name, (kind, _) in self.columns.items())
        columns = [list(column) for column in zip(*rows, strict=True)]
        recording.connection.execute(f"INSERT INTO {self.table.sql} BY NAME SELECT {values}", columns)

    def add_invalid(self, recording: Recording) -> None:
        """Record the rows of INVALID, which are rejected before anything is sent (RowStates.reject_invalid)."""
        self._add(recording, "'rejected' AS outcome, number AS row, key, hash AS payload_hash, reason", INVALID)

    def add_gone(self, recording: Recording) -> None:
        """Record the rows of GONE, whose outcome remains unknown (RowStates.forget_gone)."""
        reason = "'run ' || run_id || ' ended before the answer was recorded; the source no longer has the row'"
        self._add(recording, f"'unknown' AS outcome, key, hash AS payload_hash, batch_id, {reason} AS reason", GONE)

    def _add(self, recording: Recording, columns: str, table: str) -> None:
        """Add the rows of a temporary table. `columns`: its expressions with the names of the columns here."""
        recording.connection.execute(
            f"INSERT INTO {self.table.sql} BY NAME SELECT {columns}, CAST(? AS TIMESTAMPTZ) AS {LOADED_AT}, "
            f"? AS {RUN_ID} FROM temp.main.{table}",
            [recording.now, recording.run_id],
        )
