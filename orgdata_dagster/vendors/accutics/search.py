"""The search language of accutics: `updated_at:gte:2026-01-01T00:00:00Z;status:eq:draft,approved`.

Here: building and parsing conditions: operators, their aliases, valid values (`vendor_apis/accutics.md`,
"Searching/filtering"). Add here when: the document has another operator or rule. Keep out: which dimensions an endpoint
has; requests.

All conditions of a search must hold. If a condition has several values, any of them must match (with `hasall`: all).
The language has no escape for its separators, so a value that contains one is a SearchError before any request.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Literal

Kind = Literal["id", "text", "number", "timestamp", "select", "multiselect", "status"]
Value = str | int | float | Decimal | datetime

ALIASES = {
    "eq": "equal", "equals": "equal", "=": "equal",
    "neq": "notequal", "notequals": "notequal", "!=": "notequal",
    ">": "gt", ">=": "gte", "<": "lt", "<=": "lte",
    "startswith": "beginswith",
    "has_any": "hasany", "has_all": "hasall", "has_none": "hasnone",
}  # fmt: skip

_EXACT = frozenset({"equal", "notequal"})
_ORDER = frozenset({"gt", "gte", "lt", "lte"})
_PRESENCE = frozenset({"exists", "missing"})
_WORDS = frozenset({"contains", "beginswith", "endswith"})
_LISTS = frozenset({"hasany", "hasall", "hasnone"})
OPERATORS = _EXACT | _ORDER | _PRESENCE | _WORDS | _LISTS

OPERATORS_OF: dict[Kind, frozenset[str]] = {
    "id": _EXACT | _PRESENCE,
    "text": _EXACT | _PRESENCE | _WORDS,
    "number": _EXACT | _PRESENCE | _ORDER,
    "timestamp": _PRESENCE | _ORDER,
    "select": _EXACT | _PRESENCE | {"hasany", "hasnone"},
    "multiselect": _PRESENCE | _LISTS,
    "status": _EXACT | {"hasany", "hasnone"},
}

_NUMBER = re.compile(r"-?\d+(\.\d+)?", re.ASCII)
_ZULU = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)


class SearchError(ValueError):
    """A condition that the search language cannot express. The message says which and why."""


@dataclass(frozen=True)
class Condition:
    """One valid filter, `dimension:operator:values`; made by `where` and `parse`."""

    dimension: str
    operator: str
    values: tuple[str, ...] = ()

    def __str__(self) -> str:
        return ":".join([self.dimension, self.operator, *([",".join(self.values)] if self.values else [])])


def where(dimension: str, operator: str, *values: Value, kind: Kind | None = None) -> Condition:
    """Make a condition on a dimension.

    kind: if given, the operator must be one that dimensions of this kind support.
    values: instants need a zone, and no fraction, because the vendor would remove it.

    Raises SearchError for a condition that the language cannot express.
    """
    name = ALIASES.get(operator, operator)
    subject = f"{dimension}:{operator}"
    if not dimension or re.search(r"[:;,]", dimension):
        raise SearchError(f"{dimension!r} is not a dimension: it must not be empty or contain any of : ; ,")
    if name not in OPERATORS:
        raise SearchError(f"{subject}: unknown operator; known: {', '.join(sorted(OPERATORS))}")
    if kind and name not in OPERATORS_OF[kind]:
        raise SearchError(f"{subject}: a dimension of kind {kind} supports {', '.join(sorted(OPERATORS_OF[kind]))}")
    if name in _PRESENCE and values:
        raise SearchError(f"{subject} takes no value")
    if name not in _PRESENCE and not values:
        raise SearchError(f"{subject} needs a value")
    if name in _ORDER and len(values) > 1:
        raise SearchError(f"{subject} takes one value, not {len(values)}")
    return Condition(dimension, name, tuple(_text(subject, name, kind, value) for value in values))


def parse(text: str, kinds: Mapping[str, Kind] | None = None) -> tuple[Condition, ...]:
    """Parse a search text; every condition is checked like in `where`. Raises SearchError."""
    found = []
    for part in text.split(";") if text else ():
        dimension, _, rest = part.partition(":")
        operator, colon, value = rest.partition(":")
        found.append(
            where(dimension, operator, *(value.split(",") if colon else ()), kind=(kinds or {}).get(dimension))
        )
    return tuple(found)


def search(*conditions: Condition) -> str:
    """The value of the parameter `search` for conditions that must all hold."""
    return ";".join(map(str, conditions))


def _text(subject: str, operator: str, kind: Kind | None, value: Value) -> str:
    text = _spelled(subject, value)
    if not text:
        raise SearchError(f"{subject}: an empty value cannot be searched for; use exists or missing")
    if re.search("[;,]", text):
        raise SearchError(f"{subject}: {text!r} contains a , or ; which are separators of the search language")
    is_number, is_instant = bool(_NUMBER.fullmatch(text)), _is_instant(text)
    if kind == "number" and not is_number:
        raise SearchError(f"{subject}: {text!r} is not a number")
    if kind == "timestamp" and not is_instant:
        raise SearchError(f"{subject}: {text!r} is not an instant such as 2026-01-31T00:00:00Z")
    if operator in _ORDER and not (is_number or is_instant):
        raise SearchError(f"{subject}: {text!r} is neither a number nor an instant such as 2026-01-31T00:00:00Z")
    return text


def _spelled(subject: str, value: Value) -> str:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise SearchError(f"{subject}: {value} has no zone")
        if value.microsecond:
            raise SearchError(f"{subject}: {value} has a fraction of a second, which the vendor would strip")
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ").zfill(len("2026-01-31T00:00:00Z"))
    if isinstance(value, bool):
        raise SearchError(f"{subject}: write {value} as the vendor spells it")
    if isinstance(value, float | Decimal):
        number = Decimal(repr(value) if isinstance(value, float) else value)
        if not number.is_finite():
            raise SearchError(f"{subject}: {value} is not a finite number")
        return f"{number:f}"
    return str(value)


def _is_instant(text: str) -> bool:
    try:
        return bool(_ZULU.fullmatch(text)) and datetime.fromisoformat(text) is not None
    except ValueError:  # the 30th of February
        return False
