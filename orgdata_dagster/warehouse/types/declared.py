r"""Types that a person declares: which spellings of a value say the same as the stored value.

Here: `fits`, and the one spelling of a type under which all its aliases are known. Add here: another type.
Keep out: types that are guessed (lossless.py), what becomes of a value that does not fit (commit/evolution.py).

A declared type may change the notation of a value, never the value:

- A number in any notation: `7`, `+7`, `007`, `7.0`, `7e0`, also with spaces around it. Not one that would be rounded,
  and no word as `nan`. DOUBLE and FLOAT hold the decimal numbers that they print: 0.1, but not 16777217 in FLOAT.
- An instant (TIMESTAMPTZ) in ISO 8601 with any offset, or without one in UTC, as everywhere here. A local time
  (TIMESTAMP, TIME and their kin) has no offset. A day is not a time, and no digit of a fraction may be lost.
- `true` and `false` in any case; a UUID in any case; nested values as JSON, with any blanks.
- Of every other type, what the type prints.
"""

from __future__ import annotations

import re

import duckdb

from orgdata_dagster.warehouse.names import quoted

_NUMBER = r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*"
_DAY = r"\d{4}-\d\d-\d\d"  # not the database's words for other days, as `infinity`
_OFFSET = r"(Z|[+-](0\d|1[0-5])(:?[0-5]\d)?)"
_FLOATS = {"DOUBLE": (15, "1e-300", "1e300"), "FLOAT": (6, "1e-37", "1.6e7")}
"""How many digits always survive, between which bounds. Whole numbers are printed to their last digit: a FLOAT is not
exact from 2 ** 24 on."""
_FRACTIONS = {
    "TIMESTAMP": 6, "TIMESTAMP_S": 0, "TIMESTAMP_MS": 3, "TIMESTAMP_NS": 9, "TIMESTAMP WITH TIME ZONE": 6,
    "TIME": 6, "TIME_NS": 9, "TIME WITH TIME ZONE": 6,
}  # fmt: skip
_canonical: dict[str, str] = {}


def canonical(connection: duckdb.DuckDBPyConnection, kind: str) -> str:
    """The database's own spelling of a type, so that INT4 and `int` are the INTEGER that a table reports.

    Raises ValueError where there is no such type.
    """
    if kind not in _canonical:
        try:
            _canonical[kind] = str(connection.sqltype(kind))
        except duckdb.Error:
            raise ValueError(f"{kind!r} is no type") from None
    return _canonical[kind]


def is_nested(data_type: str) -> bool:
    """Whether values of a type are written as JSON."""
    return data_type.endswith("]") or data_type.startswith(("STRUCT(", "MAP(", "UNION("))


def fits(column: str, data_type: str, value: str) -> str:
    """SQL, never NULL: the text `column` says the same as `value`, SQL for its value of a canonical type."""
    text = quoted(column)
    return f"coalesce({value} IS NOT NULL AND {_same(text, data_type, value)}, false)"


def exact_float(text: str, value: str, data_type: str) -> str:
    """SQL: the number that `text` spells is the one that the float `value` stands for.

    Short texts, which are most, take a tenth of the time of the others.
    """
    digits, lowest, highest = _FLOATS[data_type]
    # neither NaN nor infinite, nor so small that the type has fewer digits there
    within = f"abs({value}) BETWEEN {lowest} AND {highest}"
    significant = f"trim(regexp_replace({text}, '[eE].*|[^0-9]', '', 'g'), '0')"
    printed = f"isfinite({value}) AND regexp_replace(CAST({value} AS VARCHAR), '\\.0$', '') = {text}"
    return (
        f"CASE WHEN strlen({text}) <= {digits} AND ({within} OR {text} = '0') THEN true "
        f"WHEN {significant} = '' THEN {value} = 0 "
        f"ELSE ({within} AND length({significant}) <= {digits}) OR ({printed}) END"
    )


def _same(text: str, data_type: str, value: str) -> str:
    if data_type == "VARCHAR":
        return "true"
    if data_type == "JSON":
        return f"json_valid({text})"
    if data_type in _FLOATS:
        return f"regexp_full_match({text}, '{_NUMBER}') AND {exact_float(text, value, data_type)}"
    if re.fullmatch(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|BIGNUM", data_type):
        return _exact(text, value, scale=0)
    if decimal := re.fullmatch(r"DECIMAL\(\d+,(\d+)\)", data_type):
        return _exact(text, value, scale=int(decimal[1]))
    if data_type == "BOOLEAN":
        return f"lower({text}) IN ('true', 'false')"
    if data_type == "UUID":
        return f"CAST({value} AS VARCHAR) = lower({text})"
    if data_type == "DATE":
        return f"regexp_full_match({text}, '{_DAY}')"
    if data_type in _FRACTIONS:
        return f"regexp_full_match({text}, '{_time(data_type)}')"
    if is_nested(data_type):
        # numbers as they were written: json() would round both sides alike
        exact = re.search(r"FLOAT|DOUBLE|DECIMAL", data_type)
        plain = f"regexp_replace({text}, '\\s', '', 'g')" if exact else f"json(TRY_CAST({text} AS JSON))"
        return f"CAST(to_json({value}) AS VARCHAR) = CAST({plain} AS VARCHAR)"
    return f"CAST({value} AS VARCHAR) = {text}"


def _exact(text: str, value: str, *, scale: int) -> str:
    """SQL: a number has no more decimals than `scale`, zeros left out. By its shape, for printing takes longer."""
    some = f"\\.\\d{{1,{scale}}}0*" if scale else "\\.0+"
    alone = f"|{some}" if scale else ""
    plain = f"\\s*[+-]?(\\d+\\.?|\\d+{some}{alone})\\s*"
    # with an exponent: compared as the widest decimal, which must not round either
    decimals = f"length(regexp_extract({text}, '\\.(\\d*)', 1))"
    shift = f"TRY_CAST(regexp_extract({text}, '[eE]([+-]?\\d+)', 1) AS INTEGER)"
    equal = f"TRY_CAST({value} AS DECIMAL(38,18)) = TRY_CAST({text} AS DECIMAL(38,18))"
    return (
        f"CASE WHEN regexp_full_match({text}, '{plain}') THEN true "
        f"WHEN regexp_full_match({text}, '{_NUMBER}') THEN {decimals} - {shift} <= 18 AND {equal} ELSE false END"
    )


def _time(data_type: str) -> str:
    digits = _FRACTIONS[data_type]
    fraction = f"\\.\\d{{1,{digits}}}0*" if digits else "\\.0+"
    time = f"([01]\\d|2[0-3]):[0-5]\\d(:[0-5]\\d({fraction})?)?"
    day = f"{_DAY}[T ]" if data_type.startswith("TIMESTAMP") else ""
    offset = "" if not data_type.endswith("ZONE") else f"{_OFFSET}?" if day else _OFFSET
    return f"{day}{time}{offset}"
