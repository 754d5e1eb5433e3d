"""The columns of a dataset: types as octolis checks them, and octolis' own columns.

Here: which JSON values a column accepts, with the errors in the document's words.
Add here when: the document (`vendor_apis/octolis.md`, "Data format") has another type or rule.
Keep out: keys, defaults and storing values (`dataset`).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

Type = Literal["text", "integer", "float", "boolean", "timestamp", "list"]

MASTERID, ALL_MASTERIDS = "__masterid__", "__all_masterids__"
MODIFIED_AT, CREATED_AT, UPDATED_AT = "__modified_at__", "__created_at__", "__updated_at__"
SYSTEM = (MODIFIED_AT, MASTERID, ALL_MASTERIDS, CREATED_AT, UPDATED_AT)

LOWEST, HIGHEST = -(2**31), 2**31 - 1
MAX_DIGITS = 6

_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", re.ASCII)


@dataclass(frozen=True)
class Column:
    """A column of the user.

    protected: values that are written to it are ignored.
    mandatory: it must be sent.
    """

    name: str
    type: Type = "text"
    default: Any = None
    protected: bool = False
    mandatory: bool = False

    def complaints(self, value: Any) -> list[str]:
        """The problems of a value, in the document's words; null is valid in every column."""
        if value is None:
            return []
        return [f"{self.name} (#/properties/{self.name}/{rule}) - {what}" for rule, what in _CHECKS[self.type](value)]

    def from_filter(self, text: str) -> Any:
        """Parse a value of a filter. Raises ValueError if this column cannot have such a value."""
        if self.type == "boolean":
            if text not in ("true", "false"):
                raise ValueError(f"not a boolean: {text!r}")
            return text == "true"
        return float(text) if self.type in ("integer", "float") else text


Found = list[tuple[str, str]]


def _boolean(value: Any) -> Found:
    return [] if isinstance(value, bool) else [("type", "must be boolean")]


def _text(value: Any) -> Found:
    return [] if isinstance(value, str) else [("type", "must be string")]


def _list(value: Any) -> Found:
    if not isinstance(value, list):
        return [("type", "must be array")]
    return [] if all(isinstance(item, str) for item in value) else [("items/type", "must be string")]


def _integer(value: Any) -> Found:
    if not _is_number(value) or value != int(value):
        return [("type", "must be integer")]
    return _range(value)


def _float(value: Any) -> Found:
    if not _is_number(value):
        return [("type", "must be number")]
    # "Floats must have a maximum of 6 digits" has two meanings. This is the strict one, digits on both sides of the
    # point: values that are valid here are valid under the other meaning as well.
    digits = len(Decimal(repr(value)).normalize().as_tuple().digits)
    long = [("maxDigits", f"must have a maximum of {MAX_DIGITS} digits")] if digits > MAX_DIGITS else []
    return long + _range(value)


def _timestamp(value: Any) -> Found:
    if not isinstance(value, str):
        return [("type", "must be string")]
    try:
        known = bool(_DATE_TIME.fullmatch(value)) and bool(datetime.fromisoformat(value))
    except ValueError:
        known = False
    return [] if known else [("format", 'must match format "date-time"')]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _range(value: float) -> Found:
    if value < LOWEST:
        return [("minimum", f"must be >= {LOWEST}")]
    return [("maximum", f"must be <= {HIGHEST}")] if value > HIGHEST else []


_CHECKS: dict[Type, Callable[[Any], Found]] = {
    "text": _text,
    "integer": _integer,
    "float": _float,
    "boolean": _boolean,
    "timestamp": _timestamp,
    "list": _list,
}
