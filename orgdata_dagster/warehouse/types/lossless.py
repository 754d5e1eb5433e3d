"""Lossless typing: which types can hold a text column so that every value comes back with the same text.

Here: the candidate types in order of preference, and for each the SQL predicate "this value survives"; text to value,
and back. Add here: another type to guess.
Keep out: types that a person declared (declared.py), reading pages (stage.py) and changing tables (evolution.py).

Only what can carry no meaning may change its spelling: the notation of one instant (`...00Z`, `...00.000Z`,
`...+00:00`) and the case of true and false. So `00123`, `1.10` beside `1.9`, `N/A` and "" keep their column as text.
Of a JSON number the spelling means nothing, so 1 and 1.5 make one DOUBLE column; a JSON string is never a number.
"""

from __future__ import annotations

import re

from orgdata_dagster.warehouse.names import VARIANT, quoted
from orgdata_dagster.warehouse.pages.page import Kinds
from orgdata_dagster.warehouse.types import declared

TEXT = "VARCHAR"
JSON = "JSON"
INSTANT = "TIMESTAMP WITH TIME ZONE"

_INSTANT = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-](0\d|1[0-5]):?[0-5]\d)"
_LOCAL_TIME = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?"
_DAY = r"\d{4}-\d\d-\d\d"  # not the database's words for other days, as `infinity`
_SHAPES = {"BIGINT": r"-?\d+", "DATE": _DAY, INSTANT: _INSTANT, "TIMESTAMP": _LOCAL_TIME}
_NUMBERS: Kinds = frozenset({"number"})
_LISTS = (f"{TEXT}[]", "BIGINT[]", "BOOLEAN[]", "DOUBLE[]")


def candidates(example: str, kinds: Kinds | None = None) -> tuple[str, ...]:
    """Types to try, the preferred first, on a column with this value; `kinds`: what JSON values it has, for none of
    these types holds mixed ones.

    A decimal type has as many decimals as the example: it holds no column whose values have other numbers of them.

    DECIMAL(18,s) before DECIMAL(38,s): it loads four times as fast. Whole numbers beyond BIGINT stay text, because
    what comes after them (HUGEINT) becomes a float in every DataFrame.
    """
    decimal = re.fullmatch(r"-?\d+\.(\d+)", example, re.ASCII)
    scale = len(decimal[1]) if decimal else 0
    widths = [width for width in (18, 38) if 0 < scale < width]
    decimals = [f"DECIMAL({width},{scale})" for width in widths]
    if kinds is not None:
        # DOUBLE first: how many decimals one page has says nothing of the next
        every = (*_LISTS, JSON, "BOOLEAN", "BIGINT", "DOUBLE", *decimals, "DATE", INSTANT, "TIMESTAMP")
        return tuple(kind for kind in every if allows(kinds, kind))
    return ("BOOLEAN", "BIGINT", *decimals, "DOUBLE", "DATE", INSTANT, "TIMESTAMP")


def allows(kinds: Kinds | None, data_type: str) -> bool:
    """Whether a type can be that of JSON values of these kinds (None: of text, which may be anything)."""
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
    """Whether a value that begins so may survive as a type: most types need not be tried on a column's every value."""
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
    """SQL: the value that the text `column` has as `data_type`, NULL where it has none."""
    text = quoted(column)
    return f"TRY_CAST({f'TRY_CAST({text} AS JSON)' if declared.is_nested(data_type) else text} AS {data_type})"


def survives(column: str, data_type: str, kinds: Kinds | None = None, value: str | None = None) -> str:
    """SQL, never NULL: the value of the text `column` comes back from `data_type` with the same text, or is NULL.

    `kinds`: what JSON values it has; as a number it need only keep its value. Text of no kind can be no list.
    `value`: SQL that has the `converted` value already.
    """
    text = quoted(column)
    value = value or converted(column, data_type)
    if data_type == TEXT:
        return "true"
    if data_type == JSON:
        return f"coalesce(json_valid({text}), true)"
    if data_type in _LISTS:
        # floats as they were written: json() would round both sides alike
        floats = data_type == "DOUBLE[]"
        plain = f"regexp_replace({text}, '\\s', '', 'g')" if floats else f"json(TRY_CAST({text} AS JSON))"
        printed = f"CAST(to_json({value}) AS VARCHAR)"
        # mostly it is written as it is printed
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
            # of what can be cast at all the most usual notation is told by less, in a third of the time
            digits = f"{text} >= '0' AND {text}[12] >= '0'"  # no sign, no blank
            usual = f"{text} LIKE '____-__-__T__:__:__._%Z' AND strlen({text}) <= 27 AND {digits}"
            valid = f"CASE WHEN {usual} THEN true ELSE {valid} END"
        return f"({text} IS NULL OR ({value} IS NOT NULL AND {valid}))"
    if wide := re.fullmatch(r"DECIMAL\(38,(\d+)\)", data_type):
        # by its shape: printing so wide a decimal costs 50 times as much as any other cast
        scale = int(wide[1])
        shape = f"-?(0|[1-9]\\d{{0,{37 - scale}}})\\.\\d{{{scale}}}"
        minus_zero = f"regexp_full_match({text}, '-0\\.0+')"
        return f"coalesce(regexp_full_match({text}, '{shape}') AND NOT {minus_zero}, true)"
    same = f"CAST({value} AS VARCHAR) IS NOT DISTINCT FROM {text}"
    if data_type in ("DOUBLE", "FLOAT"):
        # 'nan' and 'inf' are words in a text column, not numbers
        return f"({same} AND coalesce(isfinite({value}), true))"
    if data_type == "DATE":
        return f"({same} AND coalesce(regexp_full_match({text}, '{_DAY}'), true))"
    return f"({same})"


def as_text(column: str, data_type: str) -> str:
    """SQL that turns a stored column back into the text it came from (instants in ISO 8601, UTC)."""
    name = quoted(column)
    if data_type == INSTANT:
        return f"strftime(timezone('UTC', {name}), '%Y-%m-%dT%H:%M:%S.%fZ')"
    if declared.is_nested(data_type):
        return f"CAST(to_json({name}) AS VARCHAR)"
    return f"CAST({name} AS VARCHAR)"


def from_text(text: str, data_type: str) -> str:
    """SQL that makes a value of the type out of the SQL `text`."""
    return f"CAST({f'CAST({text} AS JSON)' if declared.is_nested(data_type) else text} AS {data_type})"


def variant(column: str) -> str:
    """The name of the column that keeps the values which do not fit the declared type of `column` (dlt's word)."""
    return f"{column}{VARIANT}"
