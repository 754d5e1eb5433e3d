"""The values that octolis accepts, from the section "Data format" of its document.

Here: octolis' types, the DuckDB types that become them, and the check of a single value. Pure functions.
Add here when: the document has another rule for values.
Keep out: keys, mapping and NULLs (writeback/columns.py), rules about several rows (writeback/diff.py).

Ambiguous rules are read strictly: "a maximum of 6 digits" counts the digits on both sides of the point.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from orgdata_dagster.vendors.octolis.resource import OctolisResource
from orgdata_dagster.warehouse.names import quoted
from orgdata_dagster.writeback.columns import InvalidValue, ValueFormats

Type = Literal["text", "integer", "float", "boolean", "timestamp", "list"]

LOWEST, HIGHEST = -(2**31), 2**31 - 1
MOST_DIGITS = 6

_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", re.ASCII)
_INTEGERS = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|DECIMAL\(\d+,0\)")
_FLOATS = re.compile(r"FLOAT|DOUBLE|DECIMAL\(\d+,\d+\)")
_TEXTS = re.compile(r"VARCHAR|UUID|ENUM\(.*\)", re.DOTALL)
_INSTANTS = ("DATE", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP WITH TIME ZONE")


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
    """SQL that reads a column. DuckDB turns instants into text, because Python has no infinite instants."""
    if kind == "DATE":
        return f"CAST({quoted(name)} AS VARCHAR) || ' 00:00:00'"
    if kind == "TIMESTAMP WITH TIME ZONE":
        return f"CAST({quoted(name)} AT TIME ZONE 'UTC' AS VARCHAR)"
    if kind in _INSTANTS or _TEXTS.fullmatch(kind):
        return f"CAST({quoted(name)} AS VARCHAR)"
    if kind == "FLOAT":  # through text: cast directly to DOUBLE, 0.1 would get sixteen more digits
        return f"CAST(CAST({quoted(name)} AS VARCHAR) AS DOUBLE)"
    return quoted(name)


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise InvalidValue("must be boolean")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidValue("must be text")
    return value


def _list(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise InvalidValue("must be a list of text")
    return value


def _integer(value: Any) -> int:
    if not _is_number(value) or value != value.__trunc__():
        raise InvalidValue("must be a whole number")
    return int(_in_range(value))


def _float(value: Any) -> float | int:
    if not _is_number(value):
        raise InvalidValue("must be a number")
    digits = Decimal(repr(value) if isinstance(value, float) else value).normalize().as_tuple().digits
    if len(digits) > MOST_DIGITS:
        raise InvalidValue(f"must have a maximum of {MOST_DIGITS} digits; round it in the source")
    return float(_in_range(value)) if isinstance(value, Decimal) else _in_range(value)


def _timestamp(value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidValue("must be a date-time")
    if not _DATE_TIME.fullmatch(value):
        if _DATE_TIME.fullmatch(value[:19]) and value[19:20] == ".":
            raise InvalidValue("must have no fractions of a second; use date_trunc('second', ...) in the source")
        raise InvalidValue("must be a date-time as YYYY-MM-DD HH:MM:SS")
    try:
        datetime.fromisoformat(value)
    except ValueError:
        raise InvalidValue("must be a date-time as YYYY-MM-DD HH:MM:SS, and the date must exist") from None
    return value


def _is_number(value: Any) -> bool:
    number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
    return number and Decimal(value).is_finite()


def _in_range(value: Any) -> Any:
    if not LOWEST <= value <= HIGHEST:
        raise InvalidValue(f"must be between {LOWEST} and {HIGHEST}")
    return value


_CHECKS: dict[str, Callable[[Any], Any]] = {
    "text": _text,
    "integer": _integer,
    "float": _float,
    "boolean": _boolean,
    "timestamp": _timestamp,
    "list": _list,
}


def _check(type_: str, value: Any) -> Any:
    return _CHECKS[type_](value)


FORMATS = ValueFormats(OctolisResource.kind, _type_of, _expression, _check)
