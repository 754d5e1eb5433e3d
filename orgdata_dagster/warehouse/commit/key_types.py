"""Keys that differ only in JSON type: 1 and "1" have the same text, and a vendor may have a row for each.

Here: the column `_orgdata_key_types`, which distinguishes such rows. It is added to a table by the first commit after
which the values of a key column have several JSON types, one of them string. From then on it is part of the key. It is
not added for a column whose type is declared: with BIGINT, 1 and "1" are meant to be the same.
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
from orgdata_dagster.warehouse.pages.page import JsonKind, Kinds
from orgdata_dagster.warehouse.pages.stage import Stage
from orgdata_dagster.warehouse.types import lossless

_NONE: Kinds = frozenset()
_APPEARANCE = {  # SQL of a test of a text that is stored for a value of this JSON kind
    "number": "regexp_full_match({}, '-?(0|[1-9]\\d*)(\\.\\d+)?([eE][+-]?\\d+)?')",
    "boolean": "{} IN ('true', 'false')",
    "list": "starts_with({}, '[')",
    "object": "starts_with({}, '{{')",
}


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
    noted = json.loads(state_of(connection, target.table).get(KEY_KINDS, "{}"))
    before = _stored(noted, target, existing, now)
    both = {name: before.get(name, _NONE) | now.get(folded(name), _NONE) for name in target.key}
    mixed = any(
        "string" in kinds and len(kinds) > 1 and stage.declared_type(name) in (None, lossless.TEXT)
        for name, kinds in both.items()
    )
    stored = {name: _kind(name, before.get(name, _NONE), existing.get(name)) for name in target.key}
    statements = []
    if KEY_TYPES in existing or mixed:
        planned.casts[KEY_TYPES] = quoted(KEY_TYPES)
    if KEY_TYPES in existing and noted and [*noted] != [*target.key]:  # another `key` is configured now
        old = {name: f"split_part({KEY_TYPES}, ', ', {place})" for place, name in enumerate(noted, start=1)}
        statements.append(_update(table, stored | {name: old[name] for name in stored if name in old}))
    elif mixed and KEY_TYPES not in existing:
        statements.append(f"ALTER TABLE {table.sql} ADD COLUMN {KEY_TYPES} VARCHAR")
        if not existing.keys().isdisjoint(target.key):
            statements.append(_update(table, stored))
    # If the table is copied to change types, this comes first: in a lake, rows that are updated in a copy of the same
    # transaction keep a row id that later rows have too, so that deleting one of them would delete both. Otherwise it
    # comes last: DuckDB cannot add a column to a table that the same transaction has updated.
    is_copied = f"DROP TABLE {table.sql}" in planned.statements
    planned.statements[:] = [*statements, *planned.statements] if is_copied else [*planned.statements, *statements]
    return both


def remember(connection: duckdb.DuckDBPyConnection, target: Target, kinds: Mapping[str, Kinds], at: datetime) -> None:
    """Store the JSON kinds of the key's values, in the key's order: they cannot be seen in text columns."""
    text = json.dumps({name: sorted(each) for name, each in kinds.items()})
    if kinds and state_of(connection, target.table).get(KEY_KINDS) != text:
        write_state(connection, target.table, {KEY_KINDS: text}, at)


def with_types(target: Target, columns: Iterable[str]) -> Target:
    """The target, with `_orgdata_key_types` added to its key if the table has that column."""
    return replace(target, key=(*target.key, KEY_TYPES)) if KEY_TYPES in columns else target


def _stored(
    noted: Mapping[str, Iterable[JsonKind]], target: Target, existing: Mapping[str, str], now: Mapping[str, Kinds]
) -> dict[str, Kinds]:
    """Key column -> the JSON kinds of its stored values."""
    found = {name: frozenset(noted[name]) for name in target.key if name in noted}
    for name in target.key:
        if name in existing and name not in found and folded(name) in now:  # stored by an earlier version
            found[name] = _guessed(existing[name], now[folded(name)])
    return found


def _guessed(data_type: str, now: Kinds) -> Kinds:
    """The likely JSON kinds of a stored column. Text may have had any kind: the kinds of the new values are assumed."""
    if data_type == lossless.TEXT:
        return now or frozenset({"string"})
    fitting: tuple[Kinds, ...] = (frozenset({"number"}), frozenset({"boolean"}), frozenset({"string"}))
    return next((kinds for kinds in fitting if lossless.allows(kinds, data_type)), _NONE)


def _update(table: TableName, kinds: Mapping[str, str]) -> str:
    return f"UPDATE {table.sql} SET {KEY_TYPES} = concat_ws(', ', {', '.join(kinds.values())})"


def _kind(name: str, kinds: Kinds, data_type: str | None) -> str:
    """SQL: the JSON kind of a stored value. `data_type`: the column's type; None if the table lacks the column.

    Text that cannot be a value of these kinds is a string: the kinds may be those of later values (see _guessed).
    """
    if data_type is None or not kinds:
        return "'null'"
    column = quoted(name)
    if data_type != lossless.TEXT or kinds == {"string"}:
        return f"CASE WHEN {column} IS NULL THEN 'null' ELSE {literal(min(kinds))} END"
    tests = (f"WHEN {_APPEARANCE[kind].format(column)} THEN {literal(kind)}" for kind in sorted(kinds - {"string"}))
    return f"CASE WHEN {column} IS NULL THEN 'null' {' '.join(tests)} ELSE 'string' END"
