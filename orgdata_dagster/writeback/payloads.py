"""Turning the rows of a source into payloads, for destinations with columns.

Here: the pass over all rows, and the hashes by which rows are recognised. Keep out: checking values (columns.py and the
destination), deciding which rows to send (diff.py).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import duckdb

from orgdata_dagster.http.errors import PermanentError
from orgdata_dagster.warehouse.names import quoted
from orgdata_dagster.writeback.columns import ColumnMapping, MappedColumn, ValueFormats, checked, columns

ROWS = "CREATE TABLE rows (number BIGINT, key VARCHAR, hash VARCHAR, rest VARCHAR, payload VARCHAR, problems VARCHAR[])"
"""The table that a destination fills. Its columns are the fields of `destination.Row`, and `problems`, an empty list if
the row can be sent. `key` is NULL if the key is invalid."""
_AT_A_TIME = 2_000
_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False).encode


def fill(connection: duckdb.DuckDBPyConnection, fields: ColumnMapping, formats: ValueFormats) -> None:
    """Fill `rows` from `source`. Raises PermanentError with all problems of the columns."""
    described = {name: kind for name, kind, *_ in connection.execute("DESCRIBE source").fetchall()}
    found, problems = columns(described, fields, formats)
    if problems:
        raise unusable(formats.vendor, problems)
    expressions = ", ".join(f"{column.expression} AS {quoted(column.source)}" for column in found)
    cursor = connection.cursor()
    cursor.execute(f"USE {connection.execute('SELECT current_database()').fetchall()[0][0]}")
    cursor.execute(f"SELECT {expressions} FROM source")
    number = 0
    while chunk := cursor.fetchmany(_AT_A_TIME):
        rows = [_row(number + place, values, found, formats) for place, values in enumerate(chunk, start=1)]
        number += len(chunk)
        connection.execute(
            "INSERT INTO rows SELECT unnest(CAST(? AS BIGINT[])), unnest(CAST(? AS VARCHAR[])), "
            "unnest(CAST(? AS VARCHAR[])), unnest(CAST(? AS VARCHAR[])), unnest(CAST(? AS VARCHAR[])), "
            "unnest(CAST(? AS VARCHAR[][]))",
            [list(column) for column in zip(*rows, strict=True)],
        )


def unusable(vendor: str, problems: Sequence[str]) -> PermanentError:
    """The error for a source whose columns do not fit the destination."""
    return PermanentError(
        f"the source does not fit: {'; '.join(problems)}",
        vendor=vendor,
        remedy="Correct `source` or the options named above. Nothing was sent.",
    )


def _row(
    number: int, values: Sequence[Any], columns: Sequence[MappedColumn], formats: ValueFormats
) -> tuple[object, ...]:
    payload, problems = checked(values, columns, formats)
    in_key = [column.name for column in columns if column.in_key]
    key = None
    if not any(problem.partition(":")[0] in in_key for problem in problems):
        key = _json([payload.get(name) for name in in_key])
    beside = [value for value, column in zip(values, columns, strict=True) if not column.in_key]
    rest = _digest(repr(beside)) if beside else None
    text = _json(payload)
    return number, key, _digest(repr(values) if problems else text), rest, text, problems


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
