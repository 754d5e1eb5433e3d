"""Finding a Parquet type that keeps every value of a column.

Here: `storable`, and `changes` for tables that are stored as Parquet. Keep out: writing files (warehouse/export.py,
cli/query/formats.py), which types DuckLake knows (storage/lake.py).

Parquet has DuckDB's types except for a few: HUGEINT would become a float, a UNION a struct, a TIME WITH TIME ZONE
would lose its offset, and an INTERVAL its microseconds.
"""

from __future__ import annotations

import re

import duckdb

from orgdata_dagster.warehouse.names import quoted

_HUGE = re.compile(r"\bU?HUGEINT\b")
_NOT_IN_PARQUET = re.compile(r"\b(UNION|TIME WITH TIME ZONE|INTERVAL)\b")


def changes(data_type: str) -> bool:
    """Whether Parquet changes some values of this type, or of a type inside it."""
    return bool(_HUGE.search(data_type) or _NOT_IN_PARQUET.search(data_type))


def storable(connection: duckdb.DuckDBPyConnection, relation: str, column: str, data_type: str) -> str:
    """SQL: the column of a relation in a type that Parquet keeps: its own, DECIMAL(38,0) for HUGEINT, or text."""
    name = quoted(column)
    if _NOT_IN_PARQUET.search(data_type):
        return f"CAST({name} AS VARCHAR)"
    if not _HUGE.search(data_type):
        return name
    exact = f"TRY_CAST({name} AS {_HUGE.sub('DECIMAL(38,0)', data_type)})"
    lost = f"CAST({exact} AS VARCHAR) IS DISTINCT FROM CAST({name} AS VARCHAR)"
    found = connection.execute(f"SELECT count(*) FROM {relation} WHERE {lost}").fetchone()
    return exact if found == (0,) else f"CAST({name} AS VARCHAR)"
