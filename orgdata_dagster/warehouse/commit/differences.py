"""The difference that a new load made to a partition: number of new rows and of removed rows.

Here: `remember`, called before the old rows are deleted, and `differences`, called after the new ones are inserted.
Both run in the commit's transaction. Keep out: changes of columns (evolution.py).

Rows are compared by a 64-bit hash of the vendor's columns, which needs one scan of the partitions and little memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb

from orgdata_dagster.warehouse.catalog import table_columns
from orgdata_dagster.warehouse.names import LOADED_AT, OWN_PREFIX, PARTITION, PARTITION_IS_IN, TableName, quoted


@dataclass(frozen=True)
class Difference:
    """Number of rows that are new (`came`) and that were removed (`went`). A changed row counts as both."""

    came: int = 0
    went: int = 0


def remember(connection: duckdb.DuckDBPyConnection, table: TableName, partitions: Sequence[str | None]) -> None:
    """Store the hashes of the rows in these partitions in a temporary table."""
    if partitions:
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE before AS {_hashed(connection, table)} WHERE {PARTITION_IS_IN}",
            [list(partitions), None in partitions],
        )


def differences(
    connection: duckdb.DuckDBPyConnection, table: TableName, partitions: Sequence[str | None], now: datetime
) -> Mapping[str | None, Difference]:
    """Partition -> its difference, for partitions that were remembered and replaced by the commit of time `now`."""
    if not partitions:
        return {}
    was = "SELECT key, row FROM temp.main.before"
    now_is = f"SELECT key, row FROM ({_hashed(connection, table)} WHERE {LOADED_AT} = ? AND {PARTITION_IS_IN})"
    parameters = [now, list(partitions), None in partitions]
    rows = connection.execute(
        f"SELECT key, count(*) FILTER (new), count(*) FILTER (NOT new) FROM ("
        f"SELECT key, true AS new FROM ({now_is} EXCEPT ALL {was}) UNION ALL "
        f"SELECT key, false FROM ({was} EXCEPT ALL {now_is})) GROUP BY key",
        [*parameters, *parameters],
    ).fetchall()
    found = {key: Difference(came, went) for key, came, went in rows}
    return {partition: found.get(partition, Difference()) for partition in partitions}


def _hashed(connection: duckdb.DuckDBPyConnection, table: TableName) -> str:
    columns = [quoted(name) for name in table_columns(connection, table) if not name.startswith(OWN_PREFIX)]
    return f"SELECT {PARTITION} AS key, hash({', '.join(columns) or '0'}) AS row FROM {table.sql}"
