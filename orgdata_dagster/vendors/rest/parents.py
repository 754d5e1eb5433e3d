"""The parents of a list: the rows of another table that `each` refers to, such as `each: {project: projects.id}`.

Here: reading them from the warehouse. Keep out: the walks (pulling.py).

They are read from the landed table, so they cost no request. If that table is incomplete, so is the table with `each`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb

from orgdata_dagster.http.errors import PermanentError
from orgdata_dagster.http.redaction import excerpt
from orgdata_dagster.warehouse.catalog import table_columns
from orgdata_dagster.warehouse.ledger import coverage
from orgdata_dagster.warehouse.names import TableName, quoted
from orgdata_dagster.warehouse.storage.connection import Warehouse


@dataclass(frozen=True)
class Parents:
    """The parents of a list.

    rows: one entry per walk: placeholder -> value.
    incomplete: why parents may be missing; None if all are there.
    """

    rows: tuple[dict[str, str], ...] = ({},)
    incomplete: str | None = None


def table_of(each: Mapping[str, str]) -> str:
    """The one table that `each` names."""
    return next(iter(each.values())).split(".")[0]


def parents(warehouse: Warehouse, vendor: str, each: Mapping[str, str]) -> Parents:
    """Read the parents: every combination of values once. Raises PermanentError if their table has not landed."""
    if not each:
        return Parents()
    table = TableName(vendor, table_of(each))
    columns = {name: source.split(".")[1] for name, source in each.items()}
    if not warehouse.exists:
        raise _missing(table)
    with warehouse.reading() as connection:
        _check(connection, table, columns)
        chosen = ", ".join(f"CAST({quoted(column)} AS VARCHAR)" for column in columns.values())
        known = " AND ".join(f"{quoted(column)} IS NOT NULL" for column in columns.values())
        rows = connection.execute(f"SELECT DISTINCT {chosen} FROM {table.sql} WHERE {known} ORDER BY ALL").fetchall()
        parts = [part for each_of in coverage.known(connection, table).values() for part in each_of]
    gap = next((part.reason for part in parts if part.reason), None)
    incomplete = f"{table}, to which `each` refers, is not complete: {gap}" if gap else None
    return Parents(tuple(dict(zip(columns, row, strict=True)) for row in rows), incomplete)


def _check(connection: duckdb.DuckDBPyConnection, table: TableName, columns: Mapping[str, str]) -> None:
    there = table_columns(connection, table)
    if not there:
        raise _missing(table)
    if wrong := [column for column in columns.values() if column not in there]:
        raise PermanentError(
            f"{table} has no column {wrong[0]!r}; it has {excerpt(', '.join(there), 300)}",
            vendor=table.schema,
            remedy="Correct `each` in defs.yaml.",
        )


def _missing(table: TableName) -> PermanentError:
    return PermanentError(
        f"{table} has not landed yet, and `each` needs its rows",
        vendor=table.schema,
        remedy=f"Pull it first: orgdata pull {table.schema}/{table.name}",
    )
