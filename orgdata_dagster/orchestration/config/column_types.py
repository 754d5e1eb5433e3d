"""Column types that are declared in YAML.

Here: validating them. Keep out: the values that fit them (warehouse/types/declared.py).
"""

from __future__ import annotations

from collections.abc import Mapping

import duckdb

from orgdata_dagster.warehouse.types import declared, lossless


def checked_types(columns: Mapping[str, str]) -> dict[str, str]:
    """Column -> type, in DuckDB's spelling. Raises ValueError for a type to which text cannot be converted."""
    if not columns:
        return {}
    found = {}
    with duckdb.connect(config={"threads": 1}) as connection:  # no threads, because workers are forked later
        for name, kind in columns.items():
            try:
                found[name] = declared.canonical(connection, kind)
                fits = declared.fits("text", found[name], lossless.converted("text", found[name]))
                connection.execute(f"SELECT {fits} FROM (SELECT CAST(NULL AS VARCHAR) AS text)")
            except (ValueError, duckdb.Error):
                raise ValueError(
                    f"{name}: unknown type {kind!r}; use BIGINT, DOUBLE, DECIMAL(18,2), VARCHAR, DATE, ..."
                ) from None
    return found
