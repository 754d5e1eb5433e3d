r"""Declared types: which spellings of a value mean the same as the stored value.

Here: `fits`, and the canonical name of a type. Add a rule here for another declared type.
Guessed types are in lossless.py; what happens to a value that does not fit is decided in commit/evolution.py.

A declared type may change the notation of a value, never the value:

- Numbers fit in any notation: `7`, `+7`, `007`, `7.0`, `7e0`, also with surrounding spaces. A number that would be
  rounded does not fit, and neither do words such as `nan`. DOUBLE and FLOAT hold the decimal numbers that they print:
  DOUBLE holds 0.1, FLOAT does not hold 16777217.
- An instant (TIMESTAMPTZ) fits in ISO 8601 with any offset; without an offset it is read as UTC. A local time
  (TIMESTAMP, TIME and their variants) has no offset. A date alone is not a time, and no fractional digit may be lost.
- `true`, `false` and UUIDs fit in any case. Nested values fit as JSON with any white space.
- For every other type a value fits if the type prints it in exactly the same way.
"""

from __future__ import annotations

import re

import duckdb

from orgdata_dagster.warehouse.names import quoted

_NUMBER = r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*"
# Excludes words that DuckDB accepts as dates, such as `infinity`, and the year 0, which Python does not know.
DAY = r"(\d{3}[1-9]|\d\d[1-9]\d|\d[1-9]\d\d|[1-9]\d{3})-\d\d-\d\d"
_OFFSET = r"(Z|[+-](0\d|1[0-5])(:?[0-5]\d)?)"
_FLOATS = {"DOUBLE": (15, "1e-300", "1e300"), "FLOAT": (6, "1e-37", "1.6e7")}
"""Per type: the number of digits that always survive, and the range in which that is true.

Whole numbers are printed to their last digit, and a FLOAT is not exact from 2 ** 24 on."""
_FRACTIONS = {
    "TIMESTAMP": 6, "TIMESTAMP_S": 0, "TIMESTAMP_MS": 3, "TIMESTAMP_NS": 9, "TIMESTAMP WITH TIME ZONE": 6,
    "TIME": 6, "TIME_NS": 9, "TIME WITH TIME ZONE": 6,
}  # fmt: skip
_canonical: dict[str, str] = {}


def canonical(connection: duckdb.DuckDBPyConnection, kind: str) -> str:
    """Return DuckDB's canonical name of a type: `INT4` and `int` become INTEGER, as a table reports it.

    Raises ValueError if the type does not exist.
    """
    if kind not in _canonical:
        try:
            _canonical[kind] = str(connection.sqltype(kind))
        except duckdb.Error:
            raise ValueError(f"{kind!r} is not a DuckDB type") from None
    return _canonical[kind]


def is_nested(data_type: str) -> bool:
    """Whether values of a type are written as JSON."""
    return data_type.endswith("]") or data_type.startswith(("STRUCT(", "MAP(", "UNION("))


def fits(column: str, data_type: str, value: str) -> str:
    """SQL, never NULL: whether the text `column` means the same as `value`, the SQL of its typed value."""
    text = quoted(column)
    return f"coalesce({value} IS NOT NULL AND {_same(text, data_type, value)}, false)"


def exact_float(text: str, value: str, data_type: str) -> str:
    """SQL: whether the number written in `text` is exactly what the float `value` stands for.

    Short texts are the usual case and take the first, ten times faster branch.
    """
    digits, lowest, highest = _FLOATS[data_type]
    # excludes NaN, infinity, and numbers so small that the type keeps fewer digits
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
        return f"regexp_full_match({text}, '{DAY}')"
    if data_type in _FRACTIONS:
        return f"regexp_full_match({text}, '{_time(data_type)}')"
    if is_nested(data_type):
        # Compare numbers as they were written: json() would round both sides in the same way.
        exact = re.search(r"FLOAT|DOUBLE|DECIMAL", data_type)
        plain = f"regexp_replace({text}, '\\s', '', 'g')" if exact else f"json(TRY_CAST({text} AS JSON))"
        return f"CAST(to_json({value}) AS VARCHAR) = CAST({plain} AS VARCHAR)"
    return f"CAST({value} AS VARCHAR) = {text}"


def _exact(text: str, value: str, *, scale: int) -> str:
    """SQL: whether a number has at most `scale` decimals, trailing zeros aside.

    It matches the text's shape, because printing the value takes longer.
    """
    some = f"\\.\\d{{1,{scale}}}0*" if scale else "\\.0+"
    alone = f"|{some}" if scale else ""
    plain = f"\\s*[+-]?(\\d+\\.?|\\d+{some}{alone})\\s*"
    # A number with an exponent is compared as the widest decimal, which must not round it either.
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
    day = f"{DAY}[T ]" if data_type.startswith("TIMESTAMP") else ""
    offset = "" if not data_type.endswith("ZONE") else f"{_OFFSET}?" if day else _OFFSET
    return f"{day}{time}{offset}"
