"""What a commit did.

Here: `Committed`, for the caller's metadata and checks. Keep out: what the ledger keeps of it (ledger/).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from orgdata_dagster.warehouse.commit.differences import Difference
from orgdata_dagster.warehouse.commit.keys import KeyProblems
from orgdata_dagster.warehouse.ledger.schema_changes import SchemaChange


@dataclass(frozen=True)
class Committed:
    """What a commit did.

    rows: partition -> number of rows that the commit left in it.
    expected: column -> the type that its next values are likely to fit.
    changes: changes of the table's columns.
    superseded: partitions whose stored snapshot was newer, so that nothing was stored for them.
    differences: partition -> what changed, for partitions that were replaced as a whole and existed before.
    inserted: number of rows read from the pages.
    key_problems: of the rows that stayed, how many cannot be told apart by the key.
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
