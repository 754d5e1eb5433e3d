"""Lossless typing: which types can hold a text column so that every value comes back as the same text.

Here: the candidate types in order of preference, the SQL predicate "this value survives" for each type, and the
conversion from text to value and back. Add a rule here for another guessed type.
Declared types are in declared.py, reading pages in pages/stage.py. commit/evolution.py decides which type a column
gets, and commit/inserting.py casts the rows.

A value's spelling may change only where it carries no meaning: the notation of one instant (`...00Z`, `...00.000Z`,
`...+00:00`) and the case of true and false. So `00123`, `1.10` beside `1.9`, `N/A` and "" keep their column as text.
The spelling of a JSON number carries no meaning either, so 1 and 1.5 make one DOUBLE column. A JSON string is never
a number.
"""

from __future__ import annotations

import re

from orgdata_dagster.warehouse.names import VARIANT, quoted
from orgdata_dagster.warehouse.pages.page import Kinds
from orgdata_dagster.warehouse.types import declared

TEXT = "VARCHAR"
JSON = "JSON"
INSTANT = "TIMESTAMP WITH TIME ZONE"

_LOCAL_TIME = rf"{declared.DAY}[T ]\d\d:\d\d:\d\d(\.\d{{1,6}})?"
_INSTANT = rf"{_LOCAL_TIME}(Z|[+-](0\d|1[0-5]):?[0-5]\d)"
_SHAPES = {"BIGINT": r"-?\d+", "DATE": declared.DAY, INSTANT: _INSTANT, "TIMESTAMP": _LOCAL_TIME}
# an offset can move an instant out of the years that Python knows
IN_PYTHON = "BETWEEN TIMESTAMPTZ '0001-01-01 00:00:00+00' AND TIMESTAMPTZ '9999-12-31 23:59:59.999999+00'"
_NUMBERS: Kinds = frozenset({"number"})
_LISTS = (f"{TEXT}[]", "BIGINT[]", "BOOLEAN[]", "DOUBLE[]")


def candidates(example: str, kinds: Kinds | None = None) -> tuple[str, ...]:
    """Return the types to try, preferred first, for a column that contains the value `example`.

    `kinds`: the JSON kinds of the column's values. None of these types holds values of different kinds.

    A decimal type gets the number of decimals of the example, because it cannot hold values with any other number.
    DECIMAL(18,s) comes before DECIMAL(38,s) because it loads four times as fast. Whole numbers beyond BIGINT stay
    text, because the next larger type (HUGEINT) becomes a float in every DataFrame.
    """
    decimal = re.fullmatch(r"-?\d+\.(\d+)", example, re.ASCII)
    scale = len(decimal[1]) if decimal else 0
    widths = [width for width in (18, 38) if 0 < scale < width]
    decimals = [f"DECIMAL({width},{scale})" for width in widths]
    if kinds is not None:
        # DOUBLE first: the number of decimals on one page does not predict the next page
        every = (*_LISTS, JSON, "BOOLEAN", "BIGINT", "DOUBLE", *decimals, "DATE", INSTANT, "TIMESTAMP")
        return tuple(kind for kind in every if allows(kinds, kind))
    return ("BOOLEAN", "BIGINT", *decimals, "DOUBLE", "DATE", INSTANT, "TIMESTAMP")


def allows(kinds: Kinds | None, data_type: str) -> bool:
    """Whether a type can hold JSON values of these kinds (None: plain text, which may be anything)."""
    if not kinds or data_type == TEXT:
        return True
    if data_type == JSON:
        return kinds <= {"list", "object"}
    if data_type in _LISTS:
        return kinds == {"list"}
    if data_type == "BOOLEAN":
        return kinds == {"boolean"}
    if data_type in ("DATE", INSTANT, "TIMESTAMP"):
        return kinds == {"string"}
    return kinds == _NUMBERS


def possible(example: str, data_type: str, kinds: Kinds | None) -> bool:
    """Whether a value that begins with `example` may survive as this type.

    It rules out most types cheaply, before they are tried on every value of a column.
    """
    if data_type == "BOOLEAN":
        return example.lower() in ("true", "false")
    if data_type in _SHAPES:
        return re.fullmatch(_SHAPES[data_type], example, re.ASCII) is not None
    if data_type.startswith("DECIMAL"):
        return re.fullmatch(r"-?\d+(\.\d+)?", example, re.ASCII) is not None
    if data_type == "DOUBLE":
        return kinds == _NUMBERS or example[:1] == "-" or example[:1].isdecimal()
    return True


def converted(column: str, data_type: str) -> str:
    """SQL: the text `column` as a value of `data_type`; NULL where the text is not one."""
    text = quoted(column)
    return f"TRY_CAST({f'TRY_CAST({text} AS JSON)' if declared.is_nested(data_type) else text} AS {data_type})"


def survives(column: str, data_type: str, kinds: Kinds | None = None, value: str | None = None) -> str:
    """SQL, never NULL: whether the text `column` comes back from `data_type` as the same text, or is NULL.

    `kinds`: the JSON kinds of its values. A JSON number need only keep its value, not its spelling.
    `value`: SQL of the `converted` value, if the query has it already.
    """
    text = quoted(column)
    value = value or converted(column, data_type)
    if data_type == TEXT:
        return "true"
    if data_type == JSON:
        return f"coalesce(json_valid({text}), true)"
    if data_type in _LISTS:
        # Compare floats as they were written: json() would round both sides in the same way.
        floats = data_type == "DOUBLE[]"
        plain = f"regexp_replace({text}, '\\s', '', 'g')" if floats else f"json(TRY_CAST({text} AS JSON))"
        printed = f"CAST(to_json({value}) AS VARCHAR)"
        # most lists are written exactly as DuckDB prints them
        same = f"CASE WHEN {printed} = {text} THEN true ELSE coalesce({printed} = CAST({plain} AS VARCHAR), false) END"
        return f"({text} IS NULL OR {same})"
    if kinds == _NUMBERS and data_type == "DOUBLE":
        return f"({text} IS NULL OR coalesce({declared.exact_float(text, value, data_type)}, false))"
    if data_type == "BOOLEAN":
        return f"coalesce(lower({text}) IN ('true', 'false'), true)"
    if data_type in (INSTANT, "TIMESTAMP"):
        pattern = _INSTANT if data_type == INSTANT else _LOCAL_TIME
        valid = f"regexp_full_match({text}, '{pattern}')"
        if data_type == INSTANT:
            # The usual notation is recognised by cheaper tests, in a third of the time, once the cast has succeeded.
            digits = f"{text} >= '0001' AND {text}[12] >= '0'"  # excludes signs and blanks
            usual = f"{text} LIKE '____-__-__T__:__:__._%Z' AND strlen({text}) <= 27 AND {digits}"
            valid = f"CASE WHEN {usual} THEN true ELSE {valid} AND {value} {IN_PYTHON} END"
        return f"({text} IS NULL OR ({value} IS NOT NULL AND {valid}))"
    if wide := re.fullmatch(r"DECIMAL\(38,(\d+)\)", data_type):
        # Match the shape of the text: printing so wide a decimal costs 50 times as much as any other cast.
        scale = int(wide[1])
        shape = f"-?(0|[1-9]\\d{{0,{37 - scale}}})\\.\\d{{{scale}}}"
        minus_zero = f"regexp_full_match({text}, '-0\\.0+')"
        return f"coalesce(regexp_full_match({text}, '{shape}') AND NOT {minus_zero}, true)"
    same = f"CAST({value} AS VARCHAR) IS NOT DISTINCT FROM {text}"
    if data_type in ("DOUBLE", "FLOAT"):
        # 'nan' and 'inf' are words in a text column, not numbers
        return f"({same} AND coalesce(isfinite({value}), true))"
    if data_type == "DATE":
        return f"({same} AND coalesce(regexp_full_match({text}, '{declared.DAY}'), true))"
    return f"({same})"


def as_text(column: str, data_type: str) -> str:
    """SQL: a stored column as the text it came from (instants in ISO 8601, UTC)."""
    name = quoted(column)
    if data_type == INSTANT:
        return f"strftime(timezone('UTC', {name}), '%Y-%m-%dT%H:%M:%S.%fZ')"
    if declared.is_nested(data_type):
        return f"CAST(to_json({name}) AS VARCHAR)"
    return f"CAST({name} AS VARCHAR)"


def from_text(text: str, data_type: str) -> str:
    """SQL: the SQL expression `text`, cast to the type."""
    return f"CAST({f'CAST({text} AS JSON)' if declared.is_nested(data_type) else text} AS {data_type})"


def variant(column: str) -> str:
    """Return the name of the variant column (dlt's term), which keeps values that do not fit the declared type."""
    return f"{column}{VARIANT}"
