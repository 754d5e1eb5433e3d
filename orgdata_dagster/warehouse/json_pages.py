"""A JSON body on disk becomes a page that DuckDB reads without changing a value.

Here: `prepare`, which finds the records (an array, one object, or an array in an envelope), their keys and number, and
`relation`. Add here: another shape around records. Keep out: bytes (json_bytes.py), types (lossless.py).

Small bodies are looked at by Python, whose parser is done before a query has begun; large ones by the database, without
a Python object per record. Both must agree with the number of records that was counted in the bytes.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from orgdata_dagster.warehouse.errors import UnreadablePage
from orgdata_dagster.warehouse.json_bytes import ARRAY, OBJECT, rewrite
from orgdata_dagster.warehouse.names import column_names, literal, quoted

__all__ = ["ARRAY", "OBJECT", "JsonPage", "Key", "prepare", "relation"]

_SMALL = 1 << 18  # bytes
_OPTIONS = "format = 'array', maximum_object_size = 67108864"  # bytes of the longest record
_MALFORMED = (duckdb.InvalidInputException, duckdb.ConversionException)

Key = tuple[str, ...]
"""Where a value is in its record: a name, or the name of a flattened object and a name in it."""


@dataclass(frozen=True)
class JsonPage:
    """A file that holds an array of records. `envelope`: what was around it, the records left out (None if nothing)."""

    path: Path
    keys: tuple[Key, ...]
    records: int
    envelope: Any = field(default=None, compare=False)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the page's columns."""
        return tuple(_names(self.keys))

    @property
    def layout(self) -> str:
        """Any JSON pages can be read in one go: what a record lacks is NULL."""
        return "json"

    @staticmethod
    def reading(pages: Sequence[JsonPage]) -> tuple[tuple[str, ...], str]:
        """The columns of several pages together, and the SQL that reads them all."""
        keys = list(dict.fromkeys(key for page in pages for key in page.keys))
        return tuple(_names(keys)), relation([page.path for page in pages], keys)


def prepare(
    path: Path,
    connection: duckdb.DuckDBPyConnection,
    *,
    records: str = ARRAY,
    flatten: Collection[str] = (),
) -> JsonPage:
    """Make the file an array of records that survives the database's parser (in place), and find all of its keys.

    `records`: ARRAY, OBJECT (the body is the one record), or the name under which an envelope has the array.
    `flatten`: objects in a record whose members become columns, as `styles` with `thumb` -> `styles_thumb`.
    Raises UnreadablePage where the body is cut short, is not JSON, or has another shape.
    """
    found, envelope = rewrite(path, records)
    if found == 0:
        return JsonPage(path, (), 0, envelope)
    small = path.stat().st_size <= _SMALL
    count, keys = _keys_in_python(path, flatten) if small else _keys_in_database(path, connection, flatten)
    if count != found:
        raise UnreadablePage(f"{path.name} holds {found} records, but the parser read {count}")
    return JsonPage(path, tuple(keys), count, envelope)


def relation(paths: Sequence[Path], keys: Sequence[Key]) -> str:
    """SQL that yields the records of prepared files, all columns as text, and `_orgdata_file`.

    null and a missing key are NULL, "" is ""; numbers, true and false are as they were written, nested values JSON
    text. In a flattened object numbers with a fraction may be written anew (`1.50` as `1.5`).
    """
    files = ", ".join(literal(str(path)) for path in paths)
    names = _names(keys)
    tops = list(dict.fromkeys(key[0] for key in keys))
    options = f"{_OPTIONS}, filename = '_orgdata_file'"
    if "" in tops or len({top.lower() for top in tops}) < len(tops):
        # the fast way knows neither an empty name nor two names that differ in case alone
        values = [f"json_extract_string(json, {literal(_pointer(key))})" for key in keys]
        source = f"read_json_objects([{files}], {options})"
    else:
        values = [
            quoted(key[0]) if len(key) == 1 else f"json_extract_string({quoted(key[0])}, {literal(_pointer(key[1:]))})"
            for key in keys
        ]
        types = ", ".join(f"{literal(top)}: 'VARCHAR'" for top in tops)
        source = f"read_json([{files}], columns = {{{types}}}, {options})"
    selected = "".join(f"{value} AS {quoted(name)}, " for value, name in zip(values, names, strict=True))
    return f"(SELECT {selected}_orgdata_file FROM {source})"


def _names(keys: Iterable[Key]) -> list[str]:
    return column_names(["_".join(key) for key in keys])


def _pointer(key: Key) -> str:
    """RFC 6901."""
    return "".join("/" + name.replace("~", "~0").replace("/", "~1") for name in key)


def _keys_in_python(path: Path, flatten: Collection[str]) -> tuple[int, list[Key]]:
    try:
        records = json.loads(path.read_bytes(), object_pairs_hook=_without_twins)
    except (ValueError, RecursionError) as error:
        raise UnreadablePage(f"{path.name} is not well-formed JSON: {error}") from None
    keys: dict[Key, None] = {}
    for record in records:
        if not isinstance(record, dict):
            raise _not_an_object(path, json.dumps(record))
        for name, value in record.items():
            if name not in flatten:
                keys[(name,)] = None
            elif isinstance(value, Mapping):
                keys |= dict.fromkeys((name, inner) for inner in value)
            elif value is not None:
                raise UnreadablePage(f"{path.name}: {name!r} is no object: {json.dumps(value)[:100]}")
    return len(records), list(keys)


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError(f"an object has a name twice, among {', '.join(name for name, _ in pairs)[:200]}")
    return members


def _keys_in_database(
    path: Path, connection: duckdb.DuckDBPyConnection, flatten: Collection[str]
) -> tuple[int, list[Key]]:
    nested = "".join(
        f", list_distinct(flatten(list(DISTINCT json_keys(json, {at})))), "
        f"any_value(json -> {at}) FILTER (json_type(json, {at}) NOT IN ('OBJECT', 'NULL'))"
        for at in (literal(_pointer((name,))) for name in flatten)
    )
    sql = (
        "SELECT count(*), "
        "any_value(json) FILTER (json_type(json) <> 'OBJECT' OR len(names) > len(list_distinct(names))), "
        f"any_value(names), list_distinct(flatten(list(DISTINCT names))){nested} "
        f"FROM (SELECT json, json_keys(json) AS names FROM read_json_objects([{literal(str(path))}], {_OPTIONS}))"
    )
    try:
        row = connection.execute(sql).fetchone()
    except _MALFORMED as error:
        raise UnreadablePage(f"{path.name} is not well-formed JSON: {str(error).splitlines()[0]}") from None
    assert row is not None  # an aggregate always yields one row
    count, odd, some, every = row[:4]
    if odd is not None:
        raise _not_an_object(path, str(odd))
    # as a record has them, then the others: a set has no order, and the table's columns should not depend on chance
    keys: list[Key] = [(name,) for name in [*some, *sorted(set(every) - set(some))] if name not in flatten]
    for name, members, wrong in zip(flatten, row[4::2], row[5::2], strict=True):
        if wrong is not None:
            raise UnreadablePage(f"{path.name}: {name!r} is no object: {wrong[:100]}")
        keys += [(name, member) for member in sorted(members or ())]
    return count, keys


def _not_an_object(path: Path, text: str) -> UnreadablePage:
    return UnreadablePage(f"{path.name} holds a record that is no object, or has a name twice: {text[:100]}")
