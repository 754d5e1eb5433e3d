"""What octolis has of every row as far as we know: three tables in `_orgdata`, of all syncs together.

Here: their SQL. Add here: another fact about a key. Keep out: when it is written (journal.py), the rows' history
(results.py).

A batch is put down in `sync_in_flight` before it is sent, and taken out together with its answer. What is still there
when a run begins was perhaps received and perhaps not: nothing else that is known of such a key counts any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb

from orgdata_dagster.warehouse.storage.connection import ALIAS
from orgdata_dagster.writeback.definition import Row
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
COMMENT ON TABLE _orgdata.sync_accepted IS 'The payload (its hash) of each key that the vendor accepted last.';
COMMENT ON TABLE _orgdata.sync_rejected IS
    'The rows that are rejected at present: by the validation, before they were sent, or by the vendor.';
COMMENT ON TABLE _orgdata.sync_in_flight IS
    'What was sent, or was about to be, and whose answer is not recorded: the vendor may have it.';
"""

VALIDATION, VENDOR = "validation", "vendor"


@dataclass(frozen=True)
class SentRows:
    """The part of the three tables that belongs to a sync and its target: a dataset's id, or a webhook's."""

    sync: str
    target: str

    @property
    def mine(self) -> str:
        """SQL with the two parameters `self.names`."""
        return "sync = ? AND target = ?"

    @property
    def names(self) -> list[object]:
        """The parameters of `mine`."""
        return [self.sync, self.target]

    def create(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Make the tables where they are missing."""
        if not _exists(connection):
            connection.execute(_TABLES)

    def copy(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Copy what is known into the attached file `copy`, beside the source."""
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
        """A batch is about to be sent."""
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
        """What became of these batches is known."""
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
        """The vendor has these rows; with each its masterid."""
        keys = [row.key for row, _ in rows]
        self._forget(connection, ("accepted", "rejected"), keys)
        connection.execute(
            "INSERT INTO _orgdata.sync_accepted SELECT ?, ?, unnest(CAST(? AS VARCHAR[])), "
            "unnest(CAST(? AS VARCHAR[])), unnest(CAST(? AS VARCHAR[])), ?, CAST(? AS TIMESTAMPTZ)",
            [*self.names, keys, [row.hash for row, _ in rows], [masterid for _, masterid in rows], run_id, now],
        )

    def reject(
        self, connection: duckdb.DuckDBPyConnection, rows: Sequence[tuple[Row, str]], run_id: str, now: datetime
    ) -> None:
        """The vendor refused these rows; with each its reason. What it accepted of them before, it still has."""
        keys = [row.key for row, _ in rows]
        self._forget(connection, ("rejected",), keys)
        connection.execute(
            "INSERT INTO _orgdata.sync_rejected SELECT ?, ?, unnest(CAST(? AS VARCHAR[])), "
            "unnest(CAST(? AS VARCHAR[])), unnest(CAST(? AS VARCHAR[])), "
            f"'{VENDOR}', unnest(CAST(? AS VARCHAR[])), ?, CAST(? AS TIMESTAMPTZ)",
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
    try:
        connection.execute("SELECT 1 FROM _orgdata.sync_in_flight LIMIT 0")
    except duckdb.CatalogException:
        return False
    return True
