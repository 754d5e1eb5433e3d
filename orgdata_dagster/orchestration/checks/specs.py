"""The names and descriptions of the checks that every table has.

Here: the specs. Add here when: every table gets another check. Its result goes into results.py: into `of_landed`, and
into `_CHECK_OF` if a failure rejects the commit.
Keep out: computing the results (results.py, volume.py), checks of only some tables (freshness.py, a vendor's
reconciling.py).
"""

from __future__ import annotations

import dagster as dg

COVERAGE, KEYS, ROW_COUNT, SCHEMA, VOLUME = "coverage", "keys", "row_count", "schema", "volume"
REJECTED = "rejected"  # of assets that write to a vendor; an error if more rows are rejected than the YAML allows

_DESCRIPTIONS = {
    COVERAGE: "Everything that was pulled is complete. The result says where this is only the vendor's word.",
    KEYS: "No duplicate keys and no missing key values, checked before the commit. A warning if keys differ only in "
    'JSON type, as 1 and "1" do.',
    ROW_COUNT: "The database read as many rows as the vendor's pages contain. Checked before the commit.",
    SCHEMA: "The columns have not changed. A change is a warning; under `contract: freeze` nothing is stored.",
    VOLUME: "The number of rows is similar to the last 28 partitions.",
}


def table_checks(*path: str, keyed: bool) -> list[dg.AssetCheckSpec]:
    """The check specs of the asset `path`. `keyed`: the table has a key."""
    names = [name for name in _DESCRIPTIONS if keyed or name != KEYS]
    return [dg.AssetCheckSpec(name, asset=list(path), description=_DESCRIPTIONS[name]) for name in names]
