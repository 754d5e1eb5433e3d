"""Which checks a table has.

Here: their names and descriptions. Keep out: computing them.
"""

from __future__ import annotations

import dagster as dg

COVERAGE, KEYS, ROW_COUNT, SCHEMA, VOLUME = "coverage", "keys", "row_count", "schema", "volume"

_DESCRIPTIONS = {
    COVERAGE: "No gap and no doubt in what was pulled.",
    KEYS: "No key twice, none without a value; asked before the commit.",
    ROW_COUNT: "The database read as many rows as the vendor's pages hold; asked before the commit.",
    SCHEMA: "The columns are what they were. Changes are a warning; under `contract: freeze` nothing is stored.",
    VOLUME: "About as many rows as in the last 28 days.",
}


def table_checks(*path: str, keyed: bool) -> list[dg.AssetCheckSpec]:
    """The checks of the asset `path`; `keyed`: it has a key."""
    names = [name for name in _DESCRIPTIONS if keyed or name != KEYS]
    return [dg.AssetCheckSpec(name, asset=list(path), description=_DESCRIPTIONS[name]) for name in names]
