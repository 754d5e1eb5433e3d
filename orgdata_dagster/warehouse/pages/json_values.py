"""The values of a prepared JSON file: the columns of its records, and the kinds of each column's values.

Here: `inspect`, which reads a whole file to find these, and `values`, SQL of the values of columns.
Add here: another fact about a column that is needed before its type is inferred. Keep out: shapes around records
(json_pages.py), types (types/lossless.py).

Python parses small files, because that takes less time than starting a query. The database parses large files, without
a Python object per record. Most large files need no inspection: see json_layout.py.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import duckdb

from orgdata_dagster.warehouse.errors import UnreadablePage
from orgdata_dagster.warehouse.excerpts import excerpt
from orgdata_dagster.warehouse.names import folded, literal, quoted
from orgdata_dagster.warehouse.pages import json_bundles
from orgdata_dagster.warehouse.pages.json_numbers import MARK
from orgdata_dagster.warehouse.pages.page import JsonKind
from orgdata_dagster.warehouse.pages.parser_errors import parsing
from orgdata_dagster.warehouse.storage.memory import with_room

SMALL = 1 << 18  # bytes: Python inspects a file up to this size faster than the database would
_OBJECT = 4 << 20  # bytes: the smallest limit for a record that is given to the parser
_PART = 1 << 20  # bytes
_BATCH = 200  # columns per query; a query's memory grows with their number
_KINDS: dict[str, JsonKind] = {'"': "string", "[": "list", "{": "object", "t": "boolean", "f": "boolean"}
_KIND_OF: dict[type, JsonKind] = {
    str: "string", int: "number", float: "number", bool: "boolean", list: "list", dict: "object"
}  # fmt: skip
_BEGINS = '"[{tf-02468'  # first characters of values other than null; two neighbouring digits share a code

Key = tuple[str, ...]
"""The place of a value in its record: a name, or the name of a flattened object and a name in it."""


@dataclass(frozen=True)
class JsonColumn:
    """The values of a column, without null.

    kinds: their kinds.
    marked: whether some values were put into quotes, see json_numbers.py.
    """

    kinds: frozenset[JsonKind] = frozenset()
    marked: bool = False

    def __or__(self, other: JsonColumn) -> JsonColumn:
        return JsonColumn(self.kinds | other.kinds, self.marked or other.marked)


@dataclass
class Inspection:
    """The result of inspecting a file: the number of records, and their columns."""

    records: int
    columns: dict[Key, JsonColumn] = field(default_factory=dict)

    def note(self, key: Key, value: Any) -> None:
        """Add a value."""
        marked = isinstance(value, str) and value.startswith(MARK)
        kind = _KINDS.get(value[len(MARK)], "number") if marked else _KIND_OF.get(type(value))
        seen = self.columns.get(key)
        if seen is None:
            self.columns[key] = JsonColumn(frozenset((kind,) if kind else ()), marked)
        elif (kind and kind not in seen.kinds) or (marked and not seen.marked):
            self.columns[key] = seen | JsonColumn(frozenset((kind,) if kind else ()), marked)


def inspect(
    path: Path, connection: duckdb.DuckDBPyConnection, flatten: Collection[str], longest: int = 0
) -> Inspection:
    """Find the columns of a file's records and the kinds of all values.

    flatten: names of objects in a record whose members are columns.
    longest: upper bound of the size of a record, in bytes.

    Raises UnreadablePage if the file is not well-formed, or if a record is not an object.
    """
    if is_small(path):
        return inspect_small(path.read_bytes(), path.name, flatten)
    return _by_database(path, connection, flatten, longest)


def is_small(path: Path) -> bool:
    """Whether Python inspects the file instead of the database."""
    return path.stat().st_size <= SMALL


def values(
    paths: Sequence[Path],
    keys: Sequence[Key],
    longest: int,
    data_type: Literal["VARCHAR", "JSON"] = "VARCHAR",
    typed: Collection[Key] = (),
    bundle: Path | None = None,
) -> tuple[list[str], str]:
    """SQL of the values of these columns, as text or as JSON, and SQL of the records to select them from.

    typed: top-level columns for which `kind_of` will be called.
    bundle: a file with the same records as `paths`, see json_bundles.py. Only for columns that `are_plain`.
    """
    files = ", ".join(literal(str(path)) for path in paths)
    extract = "json_extract_string" if data_type == "VARCHAR" else "json_extract"
    tops = list(dict.fromkeys(key[0] for key in keys))
    options = f"{_options(longest)}, filename = '_orgdata_file'"
    if typed or not keys or not are_plain(keys):
        found = [f"{extract}(json, {literal(pointer(key))})" for key in keys]
        return found, f"read_json_objects([{files}], {options})"
    found = [
        quoted(key[0]) if len(key) == 1 else f"{extract}({quoted(key[0])}, {literal(pointer(key[1:]))})" for key in keys
    ]
    if bundle:
        return found, json_bundles.source(bundle, tops)
    types = ", ".join(f"{literal(top)}: '{data_type}'" for top in tops)
    # `records = true`, because DuckDB would otherwise read many empty records as plain values
    return found, f"read_json([{files}], columns = {{{types}}}, records = true, {options})"


def are_plain(keys: Collection[Key]) -> bool:
    """Whether read_json supports the names of these columns: none is empty, and none differ only in case."""
    tops = {key[0] for key in keys}
    return "" not in tops and len({folded(top) for top in tops}) == len(tops)


def _options(longest: int) -> str:
    """Each thread has a buffer of twice the longest record."""
    return f"format = 'array', maximum_object_size = {max(_OBJECT, longest + 1)}"


def kind_of(key: Key, column: JsonColumn, text: str) -> str:
    """SQL: the JSON kind of a column's value; "null" if it is missing. `text`: SQL of the value, from `values`."""
    if len(column.kinds) < 2:
        return f"CASE WHEN {text} IS NULL THEN 'null' ELSE {literal(min(column.kinds, default='null'))} END"
    marked = f"WHEN starts_with({text}, {literal(MARK)}) THEN 'number'" if column.marked else ""
    return (
        f"CASE {marked} WHEN {text} IS NULL THEN 'null' ELSE CASE json_type(json, {literal(pointer(key))}) "
        "WHEN 'VARCHAR' THEN 'string' WHEN 'BOOLEAN' THEN 'boolean' WHEN 'ARRAY' THEN 'list' "
        "WHEN 'OBJECT' THEN 'object' ELSE 'number' END END"
    )


def pointer(key: Key) -> str:
    """The JSON pointer (RFC 6901) of a value."""
    return "".join("/" + name.replace("~", "~0").replace("/", "~1") for name in key)


def inspect_small(text: bytes, page: str, flatten: Collection[str]) -> Inspection:
    """Like `inspect`, for a small array of records in memory. `page`: its name, for errors."""
    try:
        records = json.loads(text, object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as error:
        raise UnreadablePage(f"{page} is not well-formed JSON: {error}") from None
    found = Inspection(len(records))
    for record in records:
        if not isinstance(record, dict):
            raise _not_an_object(page, json.dumps(record))
        for name, value in record.items():
            if name not in flatten:
                found.note((name,), value)
            elif isinstance(value, Mapping):
                for inner, nested in value.items():
                    found.note((name, inner), nested)
            elif value is not None:
                raise UnreadablePage(f"{page}: {name!r} is not an object: {excerpt(json.dumps(value), 100)}")
    return found


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError(f"an object has a duplicate name: {excerpt(', '.join(name for name, _ in pairs), 200)}")
    return members


def _by_database(
    path: Path, connection: duckdb.DuckDBPyConnection, flatten: Collection[str], longest: int
) -> Inspection:
    """Inspect a file with DuckDB.

    The first characters of a column's values are collected as bits of an integer, one bit for two neighbouring codes,
    because sets of texts would take much longer.
    """
    connection = connection.cursor()  # several threads inspect files at the same time
    count, keys = _keys(path, connection, flatten, longest)
    if not keys:
        return Inspection(count)
    begin = literal(f'"{MARK}')
    marks = _contains(path, MARK.encode())  # most files have none, so that no value has to be searched
    columns = {}
    for batch in (keys[first : first + _BATCH] for first in range(0, len(keys), _BATCH)):
        found, source = values([path], batch, longest, "JSON")
        wanted = []
        for text in (f"CAST({value} AS VARCHAR)" for value in found):
            marked = f"starts_with({text}, {begin})" if marks else "false"
            code = f"ascii(CASE WHEN {marked} THEN substr({text}, 3) ELSE {text} END) >> 1"
            wanted.append(f"bit_or(CAST(1 AS BIGINT) << ({code})), bool_or({marked})")
        row = _one(connection, f"SELECT {', '.join(wanted)} FROM {source}")
        for key, bits, marked in zip(batch, row[::2], row[1::2], strict=True):
            seen = [begin for begin in _BEGINS if (bits or 0) >> (ord(begin) >> 1) & 1]
            columns[key] = JsonColumn(frozenset(_KINDS.get(begin, "number") for begin in seen), bool(marked))
    return Inspection(count, columns)


def _contains(path: Path, text: bytes) -> bool:
    """Whether a file contains these bytes. It is read in parts, because a body may be larger than the memory."""
    end = b""
    with path.open("rb") as file:
        while part := file.read(_PART):
            if text in end + part:
                return True
            end = part[-len(text) :]
    return False


def _one(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[Any, ...]:
    row = with_room(connection, lambda: connection.execute(sql).fetchone())
    assert row is not None  # an aggregate always yields one row
    return row


def _keys(
    path: Path, connection: duckdb.DuckDBPyConnection, flatten: Collection[str], longest: int
) -> tuple[int, list[Key]]:
    nested = "".join(
        f", list_distinct(flatten(list(DISTINCT json_keys(json, {at})))), "
        f"any_value(json -> {at}) FILTER (json_type(json, {at}) NOT IN ('OBJECT', 'NULL'))"
        for at in (literal(pointer((name,))) for name in flatten)
    )
    records = f"read_json_objects([{literal(str(path))}], {_options(longest)})"
    sql = (
        "SELECT count(*), "
        "any_value(json) FILTER (json_type(json) <> 'OBJECT' OR len(names) > len(list_distinct(names))), "
        f"any_value(names), list_distinct(flatten(list(DISTINCT names))){nested} "
        f"FROM (SELECT json, json_keys(json) AS names FROM {records})"
    )
    with parsing(path.name):
        row = _one(connection, sql)
    count, odd, some, every = row[:4]
    if odd is not None:
        raise _not_an_object(path.name, str(odd))
    # in the order of one record, then the others sorted: the order of the table's columns must be deterministic
    keys: list[Key] = [(name,) for name in [*some, *sorted(set(every) - set(some))] if name not in flatten]
    for name, members, wrong in zip(flatten, row[4::2], row[5::2], strict=True):
        if wrong is not None:
            raise UnreadablePage(f"{path.name}: {name!r} is not an object: {excerpt(wrong, 100)}")
        keys += [(name, member) for member in sorted(members or ())]
    return count, keys


def _not_an_object(page: str, text: str) -> UnreadablePage:
    return UnreadablePage(
        f"{page} contains a record that is not an object, or that has a duplicate name: {excerpt(text, 100)}"
    )
