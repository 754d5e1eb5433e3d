"""The ledger of schema changes.

Here: `SchemaChange`, and writing `_orgdata.schema_changes`. Add here: another kind of change.
Keep out: when a column changes (commit/evolution.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import duckdb

from orgdata_dagster.warehouse.ledger import schema
from orgdata_dagster.warehouse.names import TableName


@dataclass(frozen=True)
class SchemaChange:
    """One change of a table's columns.

    change: `added`; `widened` (to a type that also holds the new values); `retyped` (another type was declared);
        `missing` (the vendor no longer sends it); `variant` (a column for values that do not fit the declared type).
    before, after: SQL types; None where there is no column.
    """

    column: str
    change: Literal["added", "widened", "retyped", "missing", "variant"]
    before: str | None
    after: str | None

    def __str__(self) -> str:
        types = " -> ".join(kind for kind in (self.before, self.after) if kind)
        return f"{self.column}: {self.change}" + (f" ({types})" if types else "")


def write_schema_changes(
    connection: duckdb.DuckDBPyConnection,
    table: TableName,
    changes: Sequence[SchemaChange],
    *,
    run_id: str,
    at: datetime,
) -> None:
    """Record changes of a table's columns."""
    rows = [
        {
            "schema_name": table.schema,
            "table_name": table.name,
            "column_name": change.column,
            "change": change.change,
            "type_before": change.before,
            "type_after": change.after,
            "run_id": run_id,
            "recorded_at": at,
        }
        for change in changes
    ]
    schema.insert(connection, "schema_changes", rows)
