"""The known state of each row: accepted by the destination, rejected, or in flight. All syncs share the three tables.

Here: their SQL. Add here: another fact about the present state of a key. Keep out: when they are written (journal.py),
the history of every row (results.py).

A batch is recorded in `sync_in_flight` before it is sent, and removed in the transaction that records its answer. For
rows that are still there when a run begins, it is unknown whether the destination received them. Other records of such
a key are then unreliable, and the row is sent again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb

from orgdata_dagster.warehouse.catalog import table_columns
from orgdata_dagster.warehouse.names import TableName, quoted
from orgdata_dagster.writeback.destination import Recording, Row
from orgdata_dagster.writeback.source import COPY

_TABLES = """
CREATE SCHEMA IF NOT EXISTS _orgdata;
CREATE TABLE IF NOT EXISTS _orgdata.sync_accepted (
    sync VARCHAR, target VARCHAR, key VARCHAR, hash VARCHAR, masterid VARCHAR, run_id VARCHAR,
    accepted_at TIMESTAMP WITH TIME ZONE);
CREATE TABLE IF NOT EXISTS _orgdata.sync_rejected (
    sync VARCHAR, target VARCHAR, key VARCHAR, hash VARCHAR, rest VARCHAR, rejected_by VARCHAR, reason VARCHAR,
    run_id VARCHAR, rejected_at TIMESTAMP WITH TIME ZONE);
CREATE TABLE IF NOT EXISTS _orgdata.sync_in_flight (
    sync VARCHAR, target VARCHAR, key VARCHAR, hash VARCHAR, batch_id VARCHAR, run_id VARCHAR, again VARCHAR,
    begun_at TIMESTAMP WITH TIME ZONE);
COMMENT ON TABLE _orgdata.sync_accepted IS 'Per key, the hash of the payload that the vendor accepted last.';
COMMENT ON TABLE _orgdata.sync_rejected IS
    'Rows that are rejected at present: by the validation, before anything is sent, or by the vendor.';
COMMENT ON TABLE _orgdata.sync_in_flight IS
    'Rows that were sent or about to be sent, without a recorded answer: the vendor may have them.';
"""

Columns = Mapping[str, Sequence[str | None]]  # texts of several rows by the name of their column
BY_VALIDATION, BY_DESTINATION = "validation", "vendor"  # values of `rejected_by`
INVALID, GONE = "invalid_rows", "gone_rows"  # temporary tables of rows whose results the same transaction records


@dataclass(frozen=True)
class RowStates:
    """The part of the three tables that belongs to one sync and its target (see Destination)."""

    sync: str
    target: str

    @property
    def mine(self) -> str:
        """An SQL condition with the two parameters `names`."""
        return "sync = ? AND target = ?"

    @property
    def names(self) -> list[object]:
        """The parameters of `mine`."""
        return [self.sync, self.target]

    def create(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Create the tables if they are missing."""
        if not _exists(connection):
            connection.execute(_TABLES)

    def copy(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Copy this sync's part into the attached file `copy`, as `accepted`, `rejected` and `in_flight`."""
        if not _exists(connection):
            [(warehouse,)] = connection.execute("SELECT current_database()").fetchall()
            connection.execute(f"USE {COPY}; {_TABLES}; USE {quoted(warehouse)}")
            schema = f"{COPY}._orgdata"
        else:
            schema = "_orgdata"
        for table in ("accepted", "rejected", "in_flight"):
            connection.execute(
                f"CREATE TABLE {COPY}.main.{table} AS SELECT * FROM {schema}.sync_{table} WHERE {self.mine}", self.names
            )

    def begin(self, recording: Recording, batch_id: str, rows: Sequence[Row]) -> None:
        """Record that a batch is about to be sent."""
        self._forget(recording, rows, "in_flight")
        self._insert(
            recording, "in_flight", rows, "begun_at", {"again": [row.again for row in rows]}, batch_id=batch_id
        )

    def end(self, connection: duckdb.DuckDBPyConnection, batch_ids: Sequence[str]) -> None:
        """Record that the outcome of these batches is certain."""
        connection.execute(
            f"DELETE FROM _orgdata.sync_in_flight WHERE {self.mine} "
            "AND batch_id IN (SELECT unnest(CAST(? AS VARCHAR[])))",
            [*self.names, list(batch_ids)],
        )

    def accept(self, recording: Recording, accepted: Sequence[tuple[Row, str | None]]) -> None:
        """Record that the destination has these rows. `accepted`: each row with its record id."""
        rows = [row for row, _ in accepted]
        self._forget(recording, rows, "accepted", "rejected")
        self._insert(recording, "accepted", rows, "accepted_at", {"masterid": [id_ for _, id_ in accepted]})

    def reject(self, recording: Recording, rejected: Sequence[tuple[Row, str]]) -> None:
        """Record that the destination refused these rows. `rejected`: each row with the reason.

        Earlier accepted rows with the same keys remain recorded, because the destination still has them.
        """
        rows = [row for row, _ in rejected]
        self._forget(recording, rows, "rejected")
        columns: Columns = {"rest": [row.rest for row in rows], "reason": [reason for _, reason in rejected]}
        self._insert(recording, "rejected", rows, "rejected_at", columns, rejected_by=BY_DESTINATION)

    def reject_invalid(self, recording: Recording) -> None:
        """Record the rows of the attached diff that are rejected before anything is sent, and remove old rejections.

        Afterwards the temporary table INVALID contains the rejected rows that no earlier run has recorded.
        """
        connection = recording.connection
        known = f"(SELECT * FROM _orgdata.sync_rejected WHERE {self.mine} AND rejected_by = '{BY_VALIDATION}')"
        same = "known.key IS NOT DISTINCT FROM found.key AND known.hash = found.hash"
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {INVALID} AS SELECT number, key, hash, rest, "
            f"array_to_string(problems, '; ') AS reason FROM {COPY}.main.diff AS found "
            f"ANTI JOIN {known} AS known ON {same} WHERE action = 'rejected'",
            self.names,
        )
        # A row that the destination refused stays rejected while the source has it and it can be sent.
        connection.execute(
            f"DELETE FROM _orgdata.sync_rejected AS known WHERE {self.mine} AND CASE rejected_by "
            f"WHEN '{BY_VALIDATION}' THEN NOT EXISTS "
            f"(SELECT 1 FROM {COPY}.main.diff AS found WHERE action = 'rejected' AND {same}) "
            f"ELSE NOT EXISTS (SELECT 1 FROM {COPY}.main.diff AS found "
            "WHERE found.key = known.key AND action <> 'rejected') END",
            self.names,
        )
        connection.execute(
            "INSERT INTO _orgdata.sync_rejected BY NAME SELECT ? AS sync, ? AS target, key, hash, rest, "
            f"'{BY_VALIDATION}' AS rejected_by, reason, ? AS run_id, CAST(? AS TIMESTAMPTZ) AS rejected_at "
            f"FROM temp.main.{INVALID}",
            [*self.names, recording.run_id, recording.now],
        )

    def forget_gone(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Remove the rows in flight that the source no longer has, because they will not be sent again.

        Afterwards the temporary table GONE contains them.
        """
        gone = f"{self.mine} AND key NOT IN (SELECT key FROM {COPY}.main.diff WHERE key IS NOT NULL)"
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {GONE} AS SELECT * FROM _orgdata.sync_in_flight WHERE {gone}", self.names
        )
        connection.execute(f"DELETE FROM _orgdata.sync_in_flight WHERE {gone}", self.names)

    def _insert(
        self, recording: Recording, table: str, rows: Sequence[Row], at: str, columns: Columns, **same: object
    ) -> None:
        """Insert the keys and hashes of rows. `at`: the column with the time; `same`: values that all rows share."""
        of_rows: Columns = {"key": [row.key for row in rows], "hash": [row.hash for row in rows], **columns}
        shared = {"sync": self.sync, "target": self.target, "run_id": recording.run_id, at: recording.now, **same}
        texts = [f"unnest(CAST(? AS VARCHAR[])) AS {name}" for name in of_rows]
        recording.connection.execute(
            f"INSERT INTO _orgdata.sync_{table} BY NAME SELECT "
            f"{', '.join([*texts, *(f'? AS {name}' for name in shared)])}",
            [*map(list, of_rows.values()), *shared.values()],
        )

    def _forget(self, recording: Recording, rows: Sequence[Row], *tables: str) -> None:
        keys = [row.key for row in rows]
        for table in tables:
            recording.connection.execute(
                f"DELETE FROM _orgdata.sync_{table} WHERE {self.mine} AND key IN (SELECT unnest(CAST(? AS VARCHAR[])))",
                [*self.names, keys],
            )


def _exists(connection: duckdb.DuckDBPyConnection) -> bool:
    return bool(table_columns(connection, TableName("_orgdata", "sync_in_flight")))
