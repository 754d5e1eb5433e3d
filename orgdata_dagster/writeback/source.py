"""The source of a sync: the tables that it reads, and a copy of its rows in another file.

Here: the SQL of a source. Keep out: the rows' values (payloads.py), the comparison (diff.py).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb

from orgdata_dagster.http.errors import PermanentError
from orgdata_dagster.warehouse.names import literal
from orgdata_dagster.warehouse.storage.causes import first_line

_TABLE = re.compile(r'\s*(\w+|"[^"]+")(\.(\w+|"[^"]+"))*\s*')
COPY = "copy"  # the alias of the file with the copy


def select(source: str) -> str:
    """The source as a SELECT. The name of a table stands for all of its rows."""
    return f"FROM {source}" if _TABLE.fullmatch(source) else source


def tables(source: str) -> list[tuple[str, ...]]:
    """The tables and views that a source reads, as asset keys, found by DuckDB's own parser.

    Raises ValueError if the source is not exactly one SELECT.
    """
    with duckdb.connect(config={"threads": 1}) as connection:  # no thread may remain, because workers are forked later
        row = connection.execute("SELECT json_serialize_sql(?)", [select(source)]).fetchone()
    assert row is not None
    parsed: dict[str, Any] = json.loads(row[0])
    if parsed["error"]:
        raise ValueError(f"is neither a table nor a SELECT: {parsed.get('error_message', 'it cannot be parsed')}")
    if len(parsed["statements"]) != 1:
        raise ValueError(f"contains {len(parsed['statements'])} statements, not one SELECT")
    named = {str(entry["key"]) for node in _nodes(parsed) for entry in node.get("cte_map", {}).get("map", ())}
    found = [
        tuple(part for part in (node["schema_name"], node["table_name"]) if part)
        for node in _nodes(parsed)
        if node.get("type") == "BASE_TABLE" and not (node["table_name"] in named and not node["schema_name"])
    ]
    return list(dict.fromkeys(found))


def copy(connection: duckdb.DuckDBPyConnection, source: str, into: Path) -> None:
    """Attach the new file `into` as `copy`, and copy the source's rows into its table `source`, in their order.

    Raises PermanentError if the SQL fails.
    """
    connection.execute("SET GLOBAL preserve_insertion_order = true")
    connection.execute(f"ATTACH {literal(str(into))} AS {COPY}")
    try:
        connection.execute(f"CREATE TABLE {COPY}.main.source AS {select(source)}")
    except (duckdb.IOException, duckdb.TransactionException, duckdb.FatalException, duckdb.OutOfMemoryException):
        raise  # the machine's fault, not the query's
    except duckdb.Error as error:
        raise PermanentError(
            f"the source cannot be read: {first_line(error)}", remedy="Correct `source`, or create its tables first."
        ) from None


def _nodes(found: Any) -> Iterator[dict[str, Any]]:
    if isinstance(found, dict):
        yield found
    for child in found.values() if isinstance(found, dict) else found if isinstance(found, list) else ():
        yield from _nodes(child)
