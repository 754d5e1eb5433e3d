"""Merged records: they leave the table, and the pair is stored in `<name>_merges`.

Here: the SQL for `__all_masterids__`, which runs in the transaction of the rows that name them. Keep out: paging.

octolis deletes the records that it merges, and names their masterids in `__all_masterids__` of the remaining record. A
pull of changes reads only the remaining one, and would otherwise keep the deleted ones for ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import duckdb

from orgdata_dagster.vendors.octolis.client import ALL_MASTERIDS, MASTERID, MODIFIED_AT
from orgdata_dagster.warehouse.catalog import table_columns
from orgdata_dagster.warehouse.names import LOADED_AT, RUN_ID, TableName, literal, quoted


class Merge(NamedTuple):
    """A merge of two records.

    masterid: the remaining record; `modified_at`: its `__modified_at__` as text.
    merged_masterid: the record that was merged into it.
    """

    masterid: str
    merged_masterid: str
    modified_at: str | None


def merges_table(table: TableName) -> TableName:
    """The table `<name>_merges`, which stores the merges of `table`."""
    return table.view("merges")


def apply_merges(connection: duckdb.DuckDBPyConnection, table: TableName, now: datetime, run_id: str) -> int:
    """Delete merged records from the table, and store each pair once; returns the number of new pairs."""
    _create(connection, table, merges_table(table))
    if ALL_MASTERIDS not in table_columns(connection, table):
        return 0  # no record of the dataset has been merged
    pairs = (
        f"SELECT {quoted(MASTERID)} AS masterid, unnest({quoted(ALL_MASTERIDS)}) AS merged_masterid, "
        f"CAST({quoted(MODIFIED_AT)} AS TIMESTAMPTZ) AS seen_modified_at FROM {table.sql}"
    )
    return _apply(connection, table, pairs, [], now, run_id)


def apply_answered_merges(
    connection: duckdb.DuckDBPyConnection, table: TableName, merges: Sequence[Merge], now: datetime, run_id: str
) -> int:
    """Do the same for merges in the answers to writes, before the next pull reads them."""
    if not table_columns(connection, table):
        return 0  # nothing was pulled yet
    _create(connection, table, merges_table(table))
    pairs = (
        "SELECT unnest(CAST(? AS VARCHAR[])) AS masterid, unnest(CAST(? AS VARCHAR[])) AS merged_masterid, "
        "CAST(unnest(CAST(? AS VARCHAR[])) AS TIMESTAMPTZ) AS seen_modified_at"
    )
    columns = [list(column) for column in zip(*merges, strict=True)]
    return _apply(connection, table, pairs, columns, now, run_id)


def _apply(
    connection: duckdb.DuckDBPyConnection,
    table: TableName,
    pairs: str,
    parameters: Sequence[object],
    now: datetime,
    run_id: str,
) -> int:
    kept = merges_table(table)
    # answers to writes also name the remaining record itself
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE merges AS SELECT * FROM ({pairs}) WHERE masterid <> merged_masterid", parameters
    )
    connection.execute(
        f"DELETE FROM {table.sql} WHERE {quoted(MASTERID)} IN (SELECT merged_masterid FROM temp.main.merges)"
    )
    new = connection.execute(
        f"INSERT INTO {kept.sql} BY NAME SELECT *, CAST(? AS TIMESTAMPTZ) AS {LOADED_AT}, ? AS {RUN_ID} "
        f"FROM temp.main.merges AS found ANTI JOIN {kept.sql} AS known USING (masterid, merged_masterid)",
        [now, run_id],
    ).fetchone()
    return int(new[0]) if new else 0


def _create(connection: duckdb.DuckDBPyConnection, table: TableName, kept: TableName) -> None:
    if table_columns(connection, kept):
        return
    connection.execute(
        f"CREATE TABLE {kept.sql} (masterid VARCHAR, merged_masterid VARCHAR, seen_modified_at TIMESTAMPTZ, "
        f"{LOADED_AT} TIMESTAMPTZ, {RUN_ID} VARCHAR)"
    )
    text = (
        f"One row per record that was merged into a record of {table}: merged_masterid no longer exists, masterid "
        "remained (it may have been merged itself since). seen_modified_at is the __modified_at__ of masterid when the "
        "merge was first seen."
    )
    connection.execute(f"COMMENT ON TABLE {kept.sql} IS {literal(text)}")
