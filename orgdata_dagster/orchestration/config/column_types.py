"""Column types that a person declares in YAML.

Here: whether they exist. Keep out: typing itself (warehouse/types/lossless.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

import duckdb

_SAFE = re.compile(r"[A-Za-z][A-Za-z0-9_ ]*(\(\s*\d+\s*(,\s*\d+\s*)?\))?")


def checked_types(columns: Mapping[str, str]) -> dict[str, str]:
    """Column -> type, as given. Raises ValueError for a type that the database does not know."""
    for name, kind in columns.items():
        if not _exists(kind):
            raise ValueError(f"{name}: {kind!r} is no type; use BIGINT, DOUBLE, DECIMAL(18,2), VARCHAR, DATE, ...")
    return dict(columns)


@cache
def _exists(kind: str) -> bool:
    if not _SAFE.fullmatch(kind.strip()):
        return False
    with duckdb.connect() as connection:
        try:
            connection.execute(f"SELECT CAST(NULL AS {kind})")
        except duckdb.Error:
            return False
    return True
