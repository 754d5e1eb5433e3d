"""The search language: `dimension:operator:value,value;dimension:operator`, all fourteen operators.

Here: the operators of a dimension, parsing a search, and deciding whether a row matches it.
Add here when: the document (`vendor_apis/accutics.md`, "Searching/filtering") has another operator or rule.
Keep out: the dimensions of an entity (`demo_data`), pages and order (`entity`).

`,` and `;` always separate, because the document has no escape. The fraction of a timestamp in a search is removed; in
rows it is not: `lt` 10:00:00.500 means `lt` 10:00:00, and `lte` 23:59:59 excludes 23:59:59.500.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, Literal

from orgdata_dagster.sandbox import instants
from orgdata_dagster.sandbox.accutics.problems import Problem

Kind = Literal["id", "text", "number", "timestamp", "select", "multiselect", "status"]

ALIASES = {
    "eq": "equal", "equals": "equal", "=": "equal",
    "neq": "notequal", "notequals": "notequal", "!=": "notequal",
    ">": "gt", ">=": "gte", "<": "lt", "<=": "lte",
    "startswith": "beginswith", "has_any": "hasany", "has_all": "hasall", "has_none": "hasnone",
}  # fmt: skip

_PRESENCE = {"exists", "missing"}
_ORDER = {"gt", "gte", "lt", "lte"}
_EXACT = {"equal", "notequal"}
OPERATORS: dict[Kind, set[str]] = {
    "id": _EXACT | _PRESENCE,
    "text": _EXACT | _PRESENCE | {"contains", "beginswith", "endswith"},
    "number": _EXACT | _PRESENCE | _ORDER,
    "timestamp": _PRESENCE | _ORDER,
    "select": _EXACT | _PRESENCE | {"hasany", "hasnone"},
    "multiselect": _PRESENCE | {"hasany", "hasall", "hasnone"},
    "status": _EXACT | {"hasany", "hasnone"},
}

_ZULU = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?Z", re.ASCII)

_instant = lru_cache(200_000)(instants.from_text)  # the same rows are compared at every request

Values = list[Any]
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Dimension:
    """A dimension of searches: the value at `path`; if there are `more` paths, any of their values."""

    kind: Kind
    path: str
    more: tuple[str, ...] = ()

    def values(self, row: Row) -> Values:
        """The row's values that are neither null, empty nor absent, in a form that can be compared."""
        found = [value for path in (self.path, *self.more) for value in _at(row, path)]
        return [self._comparable(value) for value in found if value is not None and value != ""]

    def parse(self, text: str) -> Any:
        """Parse a value of a search. Raises ValueError if the dimension cannot have such a value."""
        if self.kind == "number":
            return _decimal(text)
        if self.kind == "timestamp":
            match = _ZULU.fullmatch(text)
            if not match:
                raise ValueError(f"not an ISO 8601 Zulu timestamp: {text!r}")
            return instants.from_text(f"{match[1]}Z")
        return text

    def _comparable(self, value: Any) -> Any:
        if self.kind == "timestamp":
            return _instant(value)
        return _decimal(str(value)) if self.kind == "number" else str(value)


@dataclass(frozen=True)
class Condition:
    """One filter of a search."""

    dimension: Dimension
    operator: str
    wanted: Values

    def holds(self, row: Row) -> bool:
        """Whether the row passes."""
        return _TESTS[self.operator](self.dimension.values(row), self.wanted)


def parse(text: str, dimensions: Mapping[str, Dimension]) -> list[Condition]:
    """The conditions of a search, all of which must hold. Raises Problem `invalid_search`."""
    return [_condition(part, dimensions) for part in text.split(";")] if text else []


def _condition(text: str, dimensions: Mapping[str, Dimension]) -> Condition:
    name, _, rest = text.partition(":")
    operator, colon, value = rest.partition(":")
    operator = ALIASES.get(operator, operator)
    dimension = dimensions.get(name)
    if dimension is None:
        raise _invalid(text, f"unknown dimension {name!r}")
    if operator not in _TESTS or operator not in OPERATORS[dimension.kind]:
        raise _invalid(text, f"{name} has no operator {operator!r}")
    if operator in _PRESENCE:
        if colon:
            raise _invalid(text, f"{operator} takes no value")
        return Condition(dimension, operator, [])
    values = value.split(",")
    if "" in values:
        raise _invalid(text, f"{operator} needs a value")
    if operator in _ORDER and len(values) > 1:
        raise _invalid(text, f"{operator} takes one value")
    try:
        return Condition(dimension, operator, [dimension.parse(value) for value in values])
    except ValueError as wrong:
        raise _invalid(text, str(wrong)) from None


def _invalid(condition: str, message: str) -> Problem:
    return Problem(400, "invalid_search", f"Invalid search: {message}", {"condition": condition})


def _at(value: Any, path: str) -> Values:
    """The values at a dotted path; of lists on the way and at its end, the items."""
    values = [value]
    for name in path.split("."):
        objects = [item for item in _flat(values) if isinstance(item, Mapping)]
        values = [item[name] for item in objects if name in item]
    return _flat(values)


def _flat(values: Values) -> Values:
    return [item for value in values for item in (value if isinstance(value, list) else [value])]


def _decimal(text: str) -> Decimal:
    """Parse a number exactly; floats beyond 2^53 are not exact."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("nan")
    if not number.is_finite():
        raise ValueError(f"not a number: {text!r}")
    return number


def _any(match: Callable[[Any, Any], bool]) -> Callable[[Values, Values], bool]:
    return lambda values, wanted: any(match(value, one) for value in values for one in wanted)


def _none(values: Values, wanted: Sequence[Any]) -> bool:
    return not any(value in wanted for value in values)


def _same(values: Values, wanted: Sequence[Any]) -> bool:
    return any(value in wanted for value in values)


_TESTS: dict[str, Callable[[Values, Values], bool]] = {
    "equal": _same,
    "notequal": _none,
    "gt": _any(lambda value, one: value > one),
    "gte": _any(lambda value, one: value >= one),
    "lt": _any(lambda value, one: value < one),
    "lte": _any(lambda value, one: value <= one),
    "contains": _any(lambda value, one: one in value),
    "beginswith": _any(lambda value, one: value.startswith(one)),
    "endswith": _any(lambda value, one: value.endswith(one)),
    "exists": lambda values, _: bool(values),
    "missing": lambda values, _: not values,
    "hasany": _same,
    "hasall": lambda values, wanted: all(one in values for one in wanted),
    "hasnone": _none,
}
