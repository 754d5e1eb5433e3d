"""What the destination has of each row, as far as is known: three tables in `_orgdata`, shared by all syncs.

Here: their SQL. Add here: another fact about the present state of a key. Keep out: when they are written (journal.py),
the history of every row (results.py).

A batch is noted in `sync_in_flight` before it is sent, and removed in the transaction that records its answer. What is
still there when a run begins may have been received or not. Nothing else that is known of such a key counts any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb

from orgdata_dagster.warehouse.catalog import table_columns
from orgdata_dagster.warehouse.names import TableName
from orgdata_dagster.warehouse.storage.connection import ALIAS
from orgdata_dagster.writeback.destination import Row
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

BY_VALIDATION, BY_DESTINATION = "validation", "vendor"  # values of `rejected_by`


@dataclass(frozen=True)
class SentRows:
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
            connection.execute(f"USE {COPY}; {_TABLES}; USE {ALIAS}")
            schema = f"{COPY}._orgdata"
        else:
            schema = "_orgdata"
        for table in ("accepted", "rejected", "in_flight"):
            connection.execute(
                f"CREATE TABLE {COPY}.main.{table} AS SELECT * FROM {schema}.sync_{table} WHERE {self.mine}", self.names
            )

    def begin(
        self, connection: duckdb.DuckDBPyConnection, batch_id: str, rows: Sequence[Row], run_id: str, now: datetime
    ) -> None:
        """Note that a batch is about to be sent."""
        keys = [row.key for row in rows]
        connection.execute(
            f"DELETE FROM _orgdata.sync_in_flight WHERE {self.mine} AND key IN (SELECT unnest(CAST(? AS VARCHAR[])))",
            [*self.names, keys],
        )
        connection.execute(
            "INSERT INTO _orgdata.sync_in_flight SELECT ?, ?, unnest(CAST(? AS VARCHAR[])), "
            "unnest(CAST(? AS VARCHAR[])), ?, ?, unnest(CAST(? AS VARCHAR[])), CAST(? AS TIMESTAMPTZ)",
            [*self.names, keys, [row.hash for row in rows], batch_id, run_id, [row.again for row in rows], now],
        )

    def end(self, connection: duckdb.DuckDBPyConnection, batch_ids: Sequence[str]) -> None:
        """Note that it is certain what the destination did with these batches."""
        connection.execute(
            f"DELETE FROM _orgdata.sync_in_flight WHERE {self.mine} "
            "AND batch_id IN (SELECT unnest(CAST(? AS VARCHAR[])))",
            [*self.names, list(batch_ids)],
        )

    def accept(
        self,
        connection: duckdb.DuckDBPyConnection,
        rows: Sequence[tuple[Row, str | None]],
        run_id: str,
        now: datetime,
    ) -> None:
        """Note that the destination has these rows. With each row comes its record id."""
        keys = [row.key for row, _ in rows]
        self._forget(connection, ("accepted", "rejected"), keys)
        connection.execute(
            "INSERT INTO _orgdata.sync_accepted SELECT ?, ?, unnest(CAST(? AS VARCHAR[])), "
            "unnest(CAST(? AS VARCHAR[])), unnest(CAST(? AS VARCHAR[])), ?, CAST(? AS TIMESTAMPTZ)",
            [*self.names, keys, [row.hash for row, _ in rows], [record_id for _, record_id in rows], run_id, now],
        )

    def reject(
        self, connection: duckdb.DuckDBPyConnection, rows: Sequence[tuple[Row, str]], run_id: str, now: datetime
    ) -> None:
        """Note that the destination refused these rows. With each row comes the reason.

        What it accepted under the same keys before, it still has.
        """
        keys = [row.key for row, _ in rows]
        self._forget(connection, ("rejected",), keys)
        connection.execute(
            "INSERT INTO _orgdata.sync_rejected SELECT ?, ?, unnest(CAST(? AS VARCHAR[])), "
            "unnest(CAST(? AS VARCHAR[])), unnest(CAST(? AS VARCHAR[])), "
            f"'{BY_DESTINATION}', unnest(CAST(? AS VARCHAR[])), ?, CAST(? AS TIMESTAMPTZ)",
            [
                *self.names,
                keys,
                *zip(*((row.hash, row.rest, reason) for row, reason in rows), strict=True),
                run_id,
                now,
            ],
        )

    def _forget(self, connection: duckdb.DuckDBPyConnection, tables: Sequence[str], keys: Sequence[str]) -> None:
        for table in tables:
            connection.execute(
                f"DELETE FROM _orgdata.sync_{table} WHERE {self.mine} AND key IN (SELECT unnest(CAST(? AS VARCHAR[])))",
                [*self.names, list(keys)],
            )


def _exists(connection: duckdb.DuckDBPyConnection) -> bool:
    return bool(table_columns(connection, TableName("_orgdata", "sync_in_flight")))
