"""The content of a partition before a commit, to compare an answer with it.

Here: `stored_rows`. Add here: another query on stored rows. Keep out: the decision that follows from the comparison (a
vendor's pull), writing (transaction.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import duckdb

from orgdata_dagster.warehouse.catalog import table_columns
from orgdata_dagster.warehouse.commit.target import Target
from orgdata_dagster.warehouse.names import PARTITION, quoted


def stored_rows(
    connection: duckdb.DuckDBPyConnection,
    target: Target,
    partition: str | None,
    values: Mapping[str, str],
    after: datetime | None = None,
) -> int:
    """Number of rows of a partition with these values.

    values: column -> value as text.
    after: count only rows with a later cursor.

    If the table keeps versions of a key, a row counts only if no other partition has a newer version of it, because the
    vendor may have moved such a row.
    """
    columns = table_columns(connection, target.table)
    if not {PARTITION, *values} <= columns.keys():
        return 0
    current = target.table.view("current")
    newest = bool(target.key and target.cursor) and bool(table_columns(connection, current))
    conditions, parameters = [f"{PARTITION} IS NOT DISTINCT FROM ?"], [partition, *values.values()]
    conditions += [f"CAST({quoted(name)} AS VARCHAR) = ?" for name in values]
    if after is not None and target.cursor in columns:
        conditions.append(f"CAST({quoted(target.cursor)} AS TIMESTAMPTZ) > CAST(? AS TIMESTAMPTZ)")
        parameters.append(after.isoformat())
    source = current if newest else target.table
    row = connection.execute(
        f"SELECT count(*) FROM {source.sql} WHERE {' AND '.join(conditions)}", parameters
    ).fetchone()
    return int(row[0]) if row else 0
