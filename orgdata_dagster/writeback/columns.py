"""Mapping the columns of a source to the columns of a destination, and a row's values to a payload or its problems.

Here: mapping, keys and NULLs, which are the same for every destination with columns; pure functions.
Add here: another rule that applies to every destination. Keep out: the values that one vendor accepts (its folder),
rules about several rows (diff.py), reading the source (payloads.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orgdata_dagster.warehouse.names import OWN_PREFIX, folded, unknown


class InvalidValue(Exception):
    """The destination does not accept a value. `str()` is the reason. It never quotes the value, which is personal."""


@dataclass(frozen=True)
class ColumnMapping:
    """The mapping from the columns of a source to the columns of a destination.

    key: the destination's columns that identify a record.
    mapping: column of the source -> column of the destination; other columns keep their names.
    types: column of the destination -> its type there, if it does not follow from the type in the source.
    erase_nulls: columns of the destination in which NULL erases the value; any other NULL is not sent.
    """

    key: tuple[str, ...] = ()
    mapping: Mapping[str, str] = field(default_factory=dict)
    types: Mapping[str, str] = field(default_factory=dict)
    erase_nulls: frozenset[str] = frozenset()


@dataclass(frozen=True)
class ValueFormats:
    """The values that a destination accepts.

    vendor: its name, for messages.
    type_of: DuckDB type -> the destination's type; None if it has none.
    expression: name and DuckDB type of a column -> SQL that reads the column without loss.
    check: the destination's type and a value -> the value as it is sent. Raises InvalidValue.
    """

    vendor: str
    type_of: Callable[[str], str | None]
    expression: Callable[[str, str], str]
    check: Callable[[str, Any], Any]


@dataclass(frozen=True)
class MappedColumn:
    """One column of the source as it is sent.

    source: its name in the source.
    name, type: its name and type in the destination.
    expression: SQL that reads it.
    in_key: whether it is part of the key.
    erases: whether NULL erases the value.
    """

    source: str
    name: str
    type: str
    expression: str
    in_key: bool = False
    erases: bool = False


def columns(
    described: Mapping[str, str], fields: ColumnMapping, formats: ValueFormats
) -> tuple[list[MappedColumn], list[str]]:
    """The columns to send, and their problems. `described`: column of the source -> its DuckDB type."""
    found: list[MappedColumn] = []
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
        found.append(MappedColumn(source, name, type_, expression, name in fields.key, name in fields.erase_nulls))
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
    """The mapping with the source's own spelling of its columns, and its problems."""
    spelled = {folded(name): name for name in described}
    missing = [name for name in wanted if folded(name) not in spelled]
    found = {spelled[folded(name)]: to for name, to in wanted.items() if name not in missing}
    problems = [f"mapping: {unknown(name, spelled.values())}" for name in missing]
    if len(found) + len(missing) < len(wanted):
        problems.append("mapping: a column of the source is named more than once")
    return found, problems


def checked(
    values: Sequence[Any], columns: Sequence[MappedColumn], formats: ValueFormats
) -> tuple[dict[str, Any], list[str]]:
    """A row's payload, and its problems as `column: problem`."""
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
