"""The input of a commit: the table with its rules, and the load of each partition.

Here: `Target`, `PartitionLoad` and the values of their options. Add here: a rule of a table, or a fact about a load.
Keep out: the result of a commit (commit_result.py), the commit itself (transaction.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import duckdb

from orgdata_dagster.warehouse.ledger.intervals import Interval
from orgdata_dagster.warehouse.names import TableName
from orgdata_dagster.warehouse.pages.stage import Stage

WriteDisposition = Literal["replace", "merge", "append"]
Contract = Literal["evolve", "freeze"]


@dataclass(frozen=True)
class Target:
    """A table and its rules.

    key: the vendor's key columns; empty if rows have none.
    cursor: the column with the instant that orders the versions of a key; None without one.
    write_disposition: whether a load replaces its partition, is merged into the table by key, or is appended.
    contract: whether columns may change (`evolve`) or not (`freeze`).
    description, column_descriptions: texts for COMMENT ON.
    configured: YAML field -> names of columns that it mentions. Each column must exist before a row is stored.
    snapshots: whether every partition contains all rows of its time, so that the last partition is the present state.
    refuse: called before anything is changed; raises Refused for a load that must not be stored.
    afterwards: a vendor's own steps in the same transaction, called after the insert with the commit's time (the rows'
        `_orgdata_loaded_at`) and the run id. Returns the reason if the table is not complete after all, otherwise None.
    """

    table: TableName
    key: tuple[str, ...] = ()
    cursor: str | None = None
    write_disposition: WriteDisposition = "replace"
    contract: Contract = "evolve"
    description: str = ""
    column_descriptions: Mapping[str, str] = field(default_factory=dict)
    configured: Mapping[str, Sequence[str]] = field(default_factory=dict)
    snapshots: bool = False
    refuse: Callable[[duckdb.DuckDBPyConnection, Target, Stage, PartitionLoad], None] | None = None
    afterwards: Callable[[duckdb.DuckDBPyConnection, Target, datetime, str], str | None] | None = None


@dataclass(frozen=True)
class PartitionLoad:
    """One partition of a commit: everything about it except its staged rows.

    partition: the partition's key; None for a table without partitions.
    as_of: the vendor's time when the pull began. The commit's own time is used if that is earlier.
    after: replace only rows with a later cursor, and keep the newest version of each key. None: replace all rows.
    coverage: the intervals that the rows prove complete, and the gaps between them.
    pages, bytes, requests: what was received.
    seconds, waited: duration of the pull, and how much of it was spent waiting for the rate limit.
    whole: the rows are all that the vendor has, so that a merge deletes stored rows that did not come again.
    contradicted: the answer contradicts the stored rows. They are kept, and the staged rows are not stored.
    replaced_characters: number of invalid characters that were replaced by U+FFFD.
    state: key -> value to store as the table's state (ledger/state.py), unless the load is superseded or contradicted.
    """

    partition: str | None
    as_of: datetime
    after: datetime | None = None
    coverage: tuple[Interval, ...] = ()
    pages: int = 0
    bytes: int = 0
    requests: int = 0
    seconds: float = 0.0
    waited: float = 0.0
    whole: bool = False
    contradicted: bool = False
    replaced_characters: int = 0
    state: Mapping[str, str] = field(default_factory=dict)
