"""Whether the rows of a commit can be told apart by their key.

Here: `Keys` and the look at them, in the commit's transaction. Keep out: merging by key (merging.py).

A row without a key, or two with the same one (and the same instant, where rows have versions), cannot be right: the
commit is refused, and the table stays as it was. But a snapshot is stored, and told: refused, its day would be lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import duckdb

from orgdata_dagster.warehouse.errors import KeysViolated
from orgdata_dagster.warehouse.evolution import table_columns
from orgdata_dagster.warehouse.names import LOADED_AT, PARTITION, quoted

if TYPE_CHECKING:
    from orgdata_dagster.warehouse.commit import Target


@dataclass(frozen=True)
class Keys:
    """Rows without any value of the key, and rows whose key another one has too."""

    missing: int = 0
    twice: int = 0

    @property
    def good(self) -> bool:
        """Whether every row has a key of its own."""
        return not (self.missing or self.twice)

    def __add__(self, other: Keys) -> Keys:
        return Keys(self.missing + other.missing, self.twice + other.twice)


def look(connection: duckdb.DuckDBPyConnection, target: Target, now: datetime) -> Keys:
    """The keys of the rows that this commit brought. Raises KeysViolated, but for snapshots."""
    if not target.key or not {*target.key} <= {*table_columns(connection, target.table)}:
        return Keys()
    scope = [*target.key, *([target.cursor] if target.cursor else []), PARTITION]
    lacking = " AND ".join(f"{quoted(name)} IS NULL" for name in target.key)
    row = connection.execute(
        f"SELECT count(*) FILTER ({lacking}), count(*) - count(DISTINCT ({', '.join(map(quoted, scope))})) "
        f"FROM {target.table.sql} WHERE {LOADED_AT} = ?",
        [now],
    ).fetchone()
    keys = Keys(*row) if row else Keys()
    if not keys.good and not target.snapshots:
        raise KeysViolated(
            f"{target.table}: {keys.missing} rows have no value of the key {', '.join(target.key)}, {keys.twice} have "
            "one that another row has too. Nothing was stored. Correct `key` in defs.yaml, or ask the vendor."
        )
    return keys
