"""What octolis takes, checked before anything is sent: the document's section "Data format".

Here: the columns of a source as the dataset's, and a row's values as a payload or as problems. Pure.
Add here: another rule of the document. Keep out: what concerns several rows (plan.py), reading them (source.py).

What the document leaves open is read strictly: "a maximum of 6 digits" counts those on both sides of the point.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from orgdata_dagster.warehouse.names import OWN_PREFIX, folded, quoted, unknown
from orgdata_dagster.writeback.definition import Sync, Type

LOWEST, HIGHEST = -(2**31), 2**31 - 1
MOST_DIGITS = 6

_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", re.ASCII)
_INTEGERS = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|DECIMAL\(\d+,0\)")
_FLOATS = re.compile(r"FLOAT|DOUBLE|DECIMAL\(\d+,\d+\)")
_TEXTS = re.compile(r"VARCHAR|UUID|ENUM\(.*\)", re.DOTALL)
_INSTANTS = ("DATE", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP WITH TIME ZONE")


class Invalid(Exception):
    """A value that octolis does not take; `str()` says why, and never the value: it is somebody's."""


@dataclass(frozen=True)
class Column:
    """A column of the source, its name and type in the dataset, and how it is read so that nothing is lost."""

    source: str
    name: str
    type: Type
    expression: str
    in_key: bool = False
    erases: bool = False


def columns(described: Mapping[str, str], sync: Sync) -> tuple[list[Column], list[str]]:
    """The columns to send of a source with these columns and types of the database; and what is wrong with them."""
    found: list[Column] = []
    mapping, problems = _mapping(described, sync)
    for source, kind in described.items():
        if source.startswith(OWN_PREFIX):
            continue  # ours, and nothing that anybody would want at octolis
        name = mapping.get(source, source)
        type_ = sync.types.get(name) or _type_of(kind)
        if type_ is None:
            problems.append(f"{name}: octolis has no type for {kind}; cast it in the source, for example to VARCHAR")
            continue
        found.append(
            Column(source, name, type_, _expression(source, kind), name in sync.identity, name in sync.erase_nulls)
        )
    names = [column.name for column in found]
    problems += [
        f"{name}: more than one column would go there" for name in dict.fromkeys(names) if names.count(name) > 1
    ]
    # these are octolis' names, whose case counts; the source's are the database's
    for field, wanted in (("key", sync.identity), ("erase_nulls", sorted(sync.erase_nulls)), ("types", sync.types)):
        problems += [f"{field}: {unknown(name, names)}" for name in wanted if name not in names]
    return found, problems


def _mapping(described: Iterable[str], sync: Sync) -> tuple[dict[str, str], list[str]]:
    """The mapping with the names that the source's columns have, and what is wrong with it."""
    spelled = {folded(name): name for name in described}
    lost = [name for name in sync.mapping if folded(name) not in spelled]
    found = {spelled[folded(name)]: to for name, to in sync.mapping.items() if name not in lost}
    problems = [f"mapping: {unknown(name, spelled.values())}" for name in lost]
    if len(found) + len(lost) < len(sync.mapping):
        problems.append("mapping: a column of the source is named more than once")
    return found, problems


def checked(values: Sequence[Any], columns: Sequence[Column]) -> tuple[dict[str, Any], list[str]]:
    """A row's payload, and its problems as `column: what is wrong`. A null that does not erase is left out."""
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
            payload[column.name] = _CHECKS[column.type](value)
        except Invalid as error:
            problems.append(f"{column.name}: {error}")
    if not problems and all(payload.get(column.name) is None for column in columns if column.in_key):
        problems.append(f"{', '.join(column.name for column in columns if column.in_key)}: the whole key is empty")
    return payload, problems


def _type_of(kind: str) -> Type | None:
    if kind == "BOOLEAN":
        return "boolean"
    if kind == "VARCHAR[]":
        return "list"
    if kind in _INSTANTS:
        return "timestamp"
    for pattern, type_ in ((_INTEGERS, "integer"), (_FLOATS, "float"), (_TEXTS, "text")):
        if pattern.fullmatch(kind):
            return type_  # type: ignore[return-value]
    return None


def _expression(name: str, kind: str) -> str:
    """SQL that reads a column. Instants become text in the database, which also has a word for infinity."""
    if kind == "DATE":
        return f"CAST({quoted(name)} AS VARCHAR) || ' 00:00:00'"
    if kind == "TIMESTAMP WITH TIME ZONE":
        return f"CAST({quoted(name)} AT TIME ZONE 'UTC' AS VARCHAR)"
    if kind in _INSTANTS or _TEXTS.fullmatch(kind):
        return f"CAST({quoted(name)} AS VARCHAR)"
    if kind == "FLOAT":  # by way of its text: as a double, 0.1 would have sixteen digits more
        return f"CAST(CAST({quoted(name)} AS VARCHAR) AS DOUBLE)"
    return quoted(name)


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Invalid("must be boolean")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise Invalid("must be text")
    return value


def _list(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise Invalid("must be a list of text")
    return value


def _integer(value: Any) -> int:
    if not _is_number(value) or value != value.__trunc__():
        raise Invalid("must be a whole number")
    return int(_in_range(value))


def _float(value: Any) -> float | int:
    if not _is_number(value):
        raise Invalid("must be a number")
    digits = Decimal(repr(value) if isinstance(value, float) else value).normalize().as_tuple().digits
    if len(digits) > MOST_DIGITS:
        raise Invalid(f"must have a maximum of {MOST_DIGITS} digits; round it in the source")
    return float(_in_range(value)) if isinstance(value, Decimal) else _in_range(value)


def _timestamp(value: Any) -> str:
    if not isinstance(value, str):
        raise Invalid("must be a date-time")
    if not _DATE_TIME.fullmatch(value):
        if _DATE_TIME.fullmatch(value[:19]) and value[19:20] == ".":
            raise Invalid("must have no fractions of a second; use date_trunc('second', ...) in the source")
        raise Invalid("must be a date-time as YYYY-MM-DD HH:MM:SS")
    try:
        datetime.fromisoformat(value)
    except ValueError:
        raise Invalid("must be a date-time as YYYY-MM-DD HH:MM:SS, of a day that exists") from None
    return value


def _is_number(value: Any) -> bool:
    number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
    return number and Decimal(value).is_finite()


def _in_range(value: Any) -> Any:
    if not LOWEST <= value <= HIGHEST:
        raise Invalid(f"must be between {LOWEST} and {HIGHEST}")
    return value


_CHECKS: dict[Type, Callable[[Any], Any]] = {
    "text": _text,
    "integer": _integer,
    "float": _float,
    "boolean": _boolean,
    "timestamp": _timestamp,
    "list": _list,
}
