"""From the columns of a source to the columns of a destination, and from a row's values to a payload or its problems.

Here: mapping, keys and NULLs, which are the same for every destination that has columns. Pure.
Add here: another rule that holds whatever the destination. Keep out: which values one vendor takes (its folder), what
concerns several rows (diff.py), reading the source (payloads.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orgdata_dagster.warehouse.names import OWN_PREFIX, folded, unknown


class InvalidValue(Exception):
    """The destination does not take a value. `str()` says why; it never quotes the value, which is personal data."""


@dataclass(frozen=True)
class Fields:
    """How the columns of a source become the columns of a destination.

    `key`: the destination's columns that identify a record.
    `mapping`: column of the source -> column of the destination; other columns keep their names.
    `types`: column of the destination -> its type there, where the type in the source does not tell.
    `erase_nulls`: columns of the destination in which NULL erases the value; any other NULL is not sent.
    """

    key: tuple[str, ...] = ()
    mapping: Mapping[str, str] = field(default_factory=dict)
    types: Mapping[str, str] = field(default_factory=dict)
    erase_nulls: frozenset[str] = frozenset()


@dataclass(frozen=True)
class ValueFormats:
    """Which values a destination takes.

    `vendor`: its name, for messages.
    `type_of`: the destination's type for a type of DuckDB; None if it has none.
    `expression`: SQL that reads a column of a DuckDB type without loss, from the column's name and type.
    `check`: the value as it is sent, from the destination's type and a value. Raises InvalidValue.
    """

    vendor: str
    type_of: Callable[[str], str | None]
    expression: Callable[[str, str], str]
    check: Callable[[str, Any], Any]


@dataclass(frozen=True)
class Column:
    """One column of the source as it is sent.

    `name` and `type`: in the destination. `expression`: SQL that reads it. `erases`: NULL erases the value.
    """

    source: str
    name: str
    type: str
    expression: str
    in_key: bool = False
    erases: bool = False


def columns(described: Mapping[str, str], fields: Fields, formats: ValueFormats) -> tuple[list[Column], list[str]]:
    """The columns to send, and what is wrong with them. `described`: column of the source -> its DuckDB type."""
    found: list[Column] = []
    mapping, problems = _mapping(described, fields.mapping)
    for source, kind in described.items():
        if source.startswith(OWN_PREFIX):
            continue  # orgdata's bookkeeping
        name = mapping.get(source, source)
        type_ = fields.types.get(name) or formats.type_of(kind)
        if type_ is None:
            cast = "cast it in the source, for example to VARCHAR"
            problems.append(f"{name}: {formats.vendor} has no type for {kind}; {cast}")
            continue
        expression = formats.expression(source, kind)
        found.append(Column(source, name, type_, expression, name in fields.key, name in fields.erase_nulls))
    names = [column.name for column in found]
    problems += [
        f"{name}: more than one column of the source maps to it"
        for name in dict.fromkeys(names)
        if names.count(name) > 1
    ]
    # The destination's names are compared with case; the source's follow the rules of DuckDB.
    for option, wanted in (("key", fields.key), ("erase_nulls", sorted(fields.erase_nulls)), ("types", fields.types)):
        problems += [f"{option}: {unknown(name, names)}" for name in wanted if name not in names]
    return found, problems


def _mapping(described: Iterable[str], wanted: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """The mapping with the source's own spelling of its columns, and what is wrong with it."""
    spelled = {folded(name): name for name in described}
    missing = [name for name in wanted if folded(name) not in spelled]
    found = {spelled[folded(name)]: to for name, to in wanted.items() if name not in missing}
    problems = [f"mapping: {unknown(name, spelled.values())}" for name in missing]
    if len(found) + len(missing) < len(wanted):
        problems.append("mapping: a column of the source is named more than once")
    return found, problems


def checked(
    values: Sequence[Any], columns: Sequence[Column], formats: ValueFormats
) -> tuple[dict[str, Any], list[str]]:
    """A row's payload, and its problems as `column: what is wrong`."""
    payload: dict[str, Any] = {}
    problems: list[str] = []
    for column, value in zip(columns, values, strict=True):
        if value is None:
            if column.erases:
                payload[column.name] = None
            elif column.in_key:
                problems.append(f"{column.name}: is part of the key and must not be empty")
            continue
        try:
            payload[column.name] = formats.check(column.type, value)
        except InvalidValue as error:
            problems.append(f"{column.name}: {error}")
    key = [column.name for column in columns if column.in_key]
    if not problems and all(payload.get(name) is None for name in key):
        problems.append(f"{', '.join(key)}: the whole key is empty")
    return payload, problems
