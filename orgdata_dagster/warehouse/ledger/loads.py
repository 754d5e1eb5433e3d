"""Questions to the ledger about loads: which run landed what.

Here: `landed_by`. Add here: another question about loads. Keep out: coverage (coverage.py), writing (store.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from orgdata_dagster.warehouse.ledger import store
from orgdata_dagster.warehouse.names import TableName

_LANDED = """
SELECT run_id, schema_name, table_name, partition_key, last(row_count ORDER BY loaded_at), sum(pages), sum(requests),
    sum(bytes), sum(seconds), sum(waited_seconds)
FROM _orgdata.loads WHERE status = 'landed' AND run_id IN (SELECT unnest(CAST(? AS VARCHAR[])))
GROUP BY run_id, schema_name, table_name, partition_key ORDER BY ALL
"""


@dataclass(frozen=True)
class LandedPartition:
    """What a run landed of one partition, in one commit or several."""

    run_id: str
    table: TableName
    partition: str | None
    rows: int
    pages: int
    requests: int
    bytes: int
    seconds: float
    waited: float


def landed_by(connection: duckdb.DuckDBPyConnection, run_ids: Sequence[str]) -> list[LandedPartition]:
    """The partitions that some runs landed, in order."""
    if not run_ids or not store.exists(connection):
        return []
    rows = connection.execute(_LANDED, [list(run_ids)]).fetchall()
    return [LandedPartition(row[0], TableName(row[1], row[2]), row[3], *map(int, row[4:8]), *row[8:]) for row in rows]
