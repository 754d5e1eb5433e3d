"""A result as CSV, JSON or Parquet, without changing a value.

Here: one function per format, and how each DuckDB type is written. Keep out: the query (__init__.py).

CSV: NULL is an empty field, an empty text is `""`.
JSON: an array with one object per row. Integers of any size are numbers; DECIMAL, and every type that JSON lacks, is
text; instants are ISO 8601.
Parquet: DuckDB's types. Types that Parquet would change become DECIMAL(38,0) or text.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

import duckdb

from orgdata_dagster import settings
from orgdata_dagster.cli.errors import UserError
from orgdata_dagster.cli.query import Result
from orgdata_dagster.warehouse.names import literal, quoted
from orgdata_dagster.warehouse.storage.scratch import owned_folder
from orgdata_dagster.warehouse.types.parquet import storable

_BATCH = 2_000  # rows
_AS_THEY_ARE = re.compile(r"U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|BOOLEAN|DOUBLE|VARCHAR")
_NESTED = re.compile(r"\]$|^(STRUCT|MAP|UNION|LIST)\b")


def write_csv(result: Result, out: BinaryIO) -> None:
    """Write CSV with a header."""
    with owned_folder(settings.staging()) as folder:
        file = folder / "result.csv"
        result.connection.execute(f"COPY {result.table} TO {literal(str(file))} (FORMAT csv, HEADER)")
        with file.open("rb") as text:
            shutil.copyfileobj(text, out)


def json_text(result: Result) -> Iterator[str]:
    """Yield the text of an array of objects, one line per row."""
    yield "["
    between = "\n"
    for row in rows_of(result):
        yield between + json.dumps(row, ensure_ascii=False)
        between = ",\n"
    yield "\n]\n" if result.rows else "]\n"


def write_parquet(result: Result, file: Path) -> None:
    """Write a Parquet file. If that fails, an old file stays as it was, and UserError is raised."""
    made = file.with_name(f".{file.name}.{os.getpid()}")
    columns = ", ".join(
        f"{storable(result.connection, result.table, name, kind)} AS {quoted(name)}"
        for name, kind in result.columns.items()
    )
    try:
        result.connection.execute(
            f"COPY (SELECT {columns} FROM {result.table}) TO {literal(str(made))} (FORMAT parquet)"
        )
        os.replace(made, file)
    except (OSError, duckdb.Error) as error:
        made.unlink(missing_ok=True)
        reason = error.strerror if isinstance(error, OSError) else str(error).splitlines()[0]
        raise UserError(f"--parquet: cannot write {file}: {reason}") from None


def rows_of(result: Result) -> Iterator[Mapping[str, Any]]:
    """Yield every row as column -> value for JSON."""
    columns = ", ".join(_for_json(name, kind) for name, kind in result.columns.items())
    cursor = result.connection.execute(f"SELECT {columns} FROM {result.table}")
    while rows := cursor.fetchmany(_BATCH):
        for row in rows:
            yield {name: _value(value) for name, value in zip(result.columns, row, strict=True)}


def _for_json(name: str, kind: str) -> str:
    """SQL that reads a column as a value that Python writes as the right JSON."""
    column = quoted(name)
    if _AS_THEY_ARE.fullmatch(kind) or _NESTED.search(kind):
        return column
    text = f"CAST({column} AS VARCHAR)"
    if kind == "FLOAT":
        return f"CAST({text} AS DOUBLE)"  # 1.1, not 1.100000023841858
    if kind.startswith("TIMESTAMP"):
        text = f"regexp_replace({text}, '^(\\d+-\\d\\d-\\d\\d) ', '\\1T')"
        return f"regexp_replace({text}, '\\+00$', '+00:00')"
    return text


def _value(value: Any) -> Any:
    """Convert a value to types of JSON."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {str(_value(key)): _value(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_value(each) for each in value]
    return next((write(value) for kinds, write in _WRITTEN if isinstance(value, kinds)), str(value))


_WRITTEN: tuple[tuple[type | tuple[type, ...], Callable[[Any], str]], ...] = (
    ((datetime, date, time), lambda value: value.isoformat()),
    (Decimal, lambda value: f"{value:f}"),
    (bytes, lambda value: "".join(f"\\x{byte:02X}" for byte in value)),
)
