"""`octolis.<name>_results`: what became of every row, run by run.

Here: the table and its columns. Add here: another fact about a row's fate. Keep out: what is known of a key at present
(sent_rows.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import duckdb

from orgdata_dagster.warehouse.commit.evolution import table_columns
from orgdata_dagster.warehouse.names import LOADED_AT, RUN_ID, TableName, literal, quoted
from orgdata_dagster.writeback.definition import Row
from orgdata_dagster.writeback.sent_rows import VALIDATION, SentRows
from orgdata_dagster.writeback.source import COPY

Outcome = Literal["written", "rejected", "not sent", "unknown"]

_COLUMNS = {
    "outcome": ("VARCHAR", "written; rejected; not sent: the request failed before it; unknown: no answer was read."),
    "row": ("BIGINT", "The row's number in the source, from 1, in that run."),
    "key": ("VARCHAR", "The values of the key columns as a JSON array; NULL where they do not make a key."),
    "payload_hash": ("VARCHAR", "Two rows of one hash had the same payload."),
    "masterid": ("VARCHAR", "octolis' id of the record."),
    "merged_masterids": ("VARCHAR[]", "The records that are gone because they were merged into this one."),
    "ignored_columns": ("VARCHAR[]", "Protected columns, which octolis takes no value for."),
    "reason": ("VARCHAR", "Why the row was not written."),
    "sent_again": ("VARCHAR", "Why octolis may have received it more than once; NULL: it was sent once."),
    "batch_id": ("VARCHAR", "The batch that it was sent in; NULL: rejected before any request."),
    "position": ("INTEGER", "Its place in the batch, from 0, by which answers are matched."),
    "attempts": ("INTEGER", "The requests that the batch took."),
    "apigw_requestid": ("VARCHAR", "The answer's header, for a ticket at octolis."),
    "traceparent": ("VARCHAR", "The same."),
    LOADED_AT: ("TIMESTAMP WITH TIME ZONE", "When this was recorded."),
    RUN_ID: ("VARCHAR", "The Dagster run."),
}


@dataclass(frozen=True)
class Result:
    """What became of a row that was sent."""

    row: Row
    outcome: Outcome
    batch_id: str
    position: int
    attempts: int
    masterid: str | None = None
    modified_at: str | None = None
    merged: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    reason: str | None = None
    again: str | None = None
    apigw_requestid: str | None = None
    traceparent: str | None = None


@dataclass(frozen=True)
class Results:
    """The table, and the writing of it."""

    table: TableName

    def create(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Make the table where it is missing."""
        if table_columns(connection, self.table):
            return
        columns = ", ".join(f"{quoted(name)} {kind}" for name, (kind, _) in _COLUMNS.items())
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(self.table.schema)}")
        connection.execute(f"CREATE TABLE {self.table.sql} ({columns})")
        text = "A row for each time that a row was sent, or found to be wrong: what became of it."
        connection.execute(f"COMMENT ON TABLE {self.table.sql} IS {literal(text)}")
        for name, (_, about) in _COLUMNS.items():
            connection.execute(f"COMMENT ON COLUMN {self.table.sql}.{quoted(name)} IS {literal(about)}")

    def add(self, connection: duckdb.DuckDBPyConnection, results: Sequence[Result], run_id: str, now: datetime) -> None:
        """Note what became of some rows."""
        rows = [
            (
                *(each.outcome, each.row.number, each.row.key, each.row.hash, each.masterid, list(each.merged)),
                *(list(each.ignored), each.reason, each.again, each.batch_id, each.position, each.attempts),
                *(each.apigw_requestid, each.traceparent, now, run_id),
            )
            for each in results
        ]
        values = ", ".join(f"unnest(CAST(? AS {kind}[]))" for kind, _ in _COLUMNS.values())
        columns = [list(column) for column in zip(*rows, strict=True)]
        connection.execute(f"INSERT INTO {self.table.sql} SELECT {values}", columns)

    def add_rejected(self, connection: duckdb.DuckDBPyConnection, ledger: SentRows, run_id: str, now: datetime) -> None:
        """Note the rows of the attached plan that the validation rejects, each once: the ledger knows the old ones."""
        known = f"(SELECT * FROM _orgdata.sync_rejected WHERE {ledger.mine} AND rejected_by = '{VALIDATION}')"
        same = "known.key IS NOT DISTINCT FROM found.key AND known.hash = found.hash"
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE fresh AS SELECT * FROM {COPY}.main.plan AS found "
            f"ANTI JOIN {known} AS known ON {same} WHERE action = 'rejected'",
            ledger.names,
        )
        connection.execute(
            f"INSERT INTO {self.table.sql} BY NAME SELECT 'rejected' AS outcome, number AS row, key, "
            "hash AS payload_hash, array_to_string(problems, '; ') AS reason, "
            f"CAST(? AS TIMESTAMPTZ) AS {LOADED_AT}, ? AS {RUN_ID} FROM temp.main.fresh",
            [now, run_id],
        )
        # what the vendor refused stays, unless the row is gone or is one of those that need no vendor to be refused
        connection.execute(
            f"DELETE FROM _orgdata.sync_rejected AS known WHERE {ledger.mine} AND CASE rejected_by "
            f"WHEN '{VALIDATION}' THEN NOT EXISTS "
            f"(SELECT 1 FROM {COPY}.main.plan AS found WHERE action = 'rejected' AND {same}) "
            f"ELSE NOT EXISTS (SELECT 1 FROM {COPY}.main.plan AS found "
            "WHERE found.key = known.key AND action <> 'rejected') END",
            ledger.names,
        )
        connection.execute(
            "INSERT INTO _orgdata.sync_rejected SELECT ?, ?, key, hash, rest, "
            f"'{VALIDATION}', array_to_string(problems, '; '), ?, CAST(? AS TIMESTAMPTZ) FROM temp.main.fresh",
            [*ledger.names, run_id, now],
        )

    def add_gone(self, connection: duckdb.DuckDBPyConnection, ledger: SentRows, run_id: str, now: datetime) -> None:
        """Note the rows that were in flight and that the source has no more: nobody will send them again."""
        gone = f"{ledger.mine} AND key NOT IN (SELECT key FROM {COPY}.main.plan WHERE key IS NOT NULL)"
        connection.execute(
            f"INSERT INTO {self.table.sql} BY NAME SELECT 'unknown' AS outcome, key, hash AS payload_hash, batch_id, "
            "'run ' || run_id || ' ended before the answer was recorded; the source has the row no more' AS reason, "
            f"CAST(? AS TIMESTAMPTZ) AS {LOADED_AT}, ? AS {RUN_ID} FROM _orgdata.sync_in_flight WHERE {gone}",
            [now, run_id, *ledger.names],
        )
        connection.execute(f"DELETE FROM _orgdata.sync_in_flight WHERE {gone}", ledger.names)
