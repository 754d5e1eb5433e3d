"""Keys that differ only in JSON type: 1 and "1" have the same text, and a vendor may have a row for each.

Here: the column `_orgdata_key_types`, which distinguishes such rows. It is added to a table by the first commit after
which the values of a key column have several JSON types, one of them string. From then on it is part of the key.
Keep out: reading the types (pages/json_pages.py), the use of the key (merging.py, keys.py, views.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

import duckdb

from orgdata_dagster.warehouse.commit.evolution import Evolution
from orgdata_dagster.warehouse.commit.target import Target
from orgdata_dagster.warehouse.ledger.state import KEY_KINDS, state_of, write_state
from orgdata_dagster.warehouse.names import KEY_TYPES, TableName, folded, literal, quoted
from orgdata_dagster.warehouse.pages.page import Kinds
from orgdata_dagster.warehouse.pages.stage import Stage
from orgdata_dagster.warehouse.types import lossless

_NONE: Kinds = frozenset()


def plan(
    connection: duckdb.DuckDBPyConnection,
    target: Target,
    table: TableName,
    stage: Stage,
    existing: Mapping[str, str],
    planned: Evolution,
) -> Mapping[str, Kinds]:
    """Add the column to the planned changes if keys can differ in type alone.

    existing: the table's columns and their types.

    Returns key column -> the JSON kinds of its stored and new values; empty for a format without JSON kinds.
    """
    now = {folded(name): found.kinds for name, found in stage.columns.items() if found.kinds is not None}
    if not any(folded(name) in now for name in target.key):
        return {}
    before = _stored(connection, target, existing, now)
    both = {name: before.get(name, _NONE) | now.get(folded(name), _NONE) for name in target.key}
    mixed = any("string" in kinds and len(kinds) > 1 for kinds in both.values())
    if KEY_TYPES in existing or mixed:
        planned.casts[KEY_TYPES] = quoted(KEY_TYPES)
    if mixed and KEY_TYPES not in existing:
        planned.statements.append(f"ALTER TABLE {table.sql} ADD COLUMN {KEY_TYPES} VARCHAR")
        kinds = ", ".join(_kind(name, before.get(name, _NONE)) for name in target.key if name in existing)
        if kinds:
            planned.statements.append(f"UPDATE {table.sql} SET {KEY_TYPES} = concat_ws(', ', {kinds})")
    return both


def remember(connection: duckdb.DuckDBPyConnection, target: Target, kinds: Mapping[str, Kinds], at: datetime) -> None:
    """Store the JSON kinds of the key's values, because they cannot be seen in text columns."""
    text = json.dumps({name: sorted(each) for name, each in sorted(kinds.items())})
    if kinds and state_of(connection, target.table).get(KEY_KINDS) != text:
        write_state(connection, target.table, {KEY_KINDS: text}, at)


def with_types(target: Target, columns: Iterable[str]) -> Target:
    """The target, with `_orgdata_key_types` added to its key if the table has that column."""
    return replace(target, key=(*target.key, KEY_TYPES)) if KEY_TYPES in columns else target


def _stored(
    connection: duckdb.DuckDBPyConnection, target: Target, existing: Mapping[str, str], now: Mapping[str, Kinds]
) -> dict[str, Kinds]:
    """Key column -> the JSON kinds of its stored values."""
    noted = json.loads(state_of(connection, target.table).get(KEY_KINDS, "{}"))
    found = {name: frozenset(noted[name]) for name in target.key if name in noted}
    for name in target.key:
        if name in existing and name not in found and folded(name) in now:  # stored by an earlier version
            found[name] = _guessed(existing[name], now[folded(name)])
    return found


def _guessed(data_type: str, now: Kinds) -> Kinds:
    """The likely JSON kinds of a stored column. Text may have had any kind: the kind of the new values is assumed."""
    if data_type == lossless.TEXT:
        return now if len(now) == 1 else frozenset({"string"})
    fitting: tuple[Kinds, ...] = (frozenset({"number"}), frozenset({"boolean"}), frozenset({"string"}))
    return next((kinds for kinds in fitting if lossless.allows(kinds, data_type)), _NONE)


def _kind(name: str, kinds: Kinds) -> str:
    """SQL: the JSON kind of a stored value."""
    return f"CASE WHEN {quoted(name)} IS NULL THEN 'null' ELSE {literal(min(kinds, default='null'))} END"
