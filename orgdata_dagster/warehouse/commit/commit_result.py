"""The result of a commit.

Here: `CommitResult`, for the caller's metadata and checks. Keep out: records in the ledger (ledger/).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from orgdata_dagster.warehouse.commit.differences import Difference
from orgdata_dagster.warehouse.commit.keys import KeyProblems
from orgdata_dagster.warehouse.ledger.schema_changes import SchemaChange


@dataclass(frozen=True)
class CommitResult:
    """The result of a commit.

    rows: partition -> number of rows that the commit added and kept.
    expected: column -> the type that its next values are likely to fit.
    changes: changes of the table's columns.
    superseded: partitions for which nothing was stored, because the stored snapshot is newer.
    differences: partition -> what changed, for partitions that were replaced as a whole and existed before.
    inserted: number of rows read from the pages.
    key_problems: number of inserted rows that share a key or have none.
    at: the commit's time.
    """

    rows: Mapping[str | None, int]
    expected: Mapping[str, str] = field(default_factory=dict)
    changes: tuple[SchemaChange, ...] = ()
    superseded: frozenset[str | None] = frozenset()
    differences: Mapping[str | None, Difference] = field(default_factory=dict)
    inserted: int = 0
    key_problems: KeyProblems = field(default_factory=KeyProblems)
    at: datetime | None = None
