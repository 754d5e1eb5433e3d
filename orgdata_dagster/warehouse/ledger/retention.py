"""Pruning the ledger: removing old records that nothing needs any more.

Here: `prune`. Add here: another table of the ledger that grows without limit.
Keep out: how long records are kept (orchestration/instance/retention.py); coverage, which is never pruned.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

import duckdb

_OLD_LOADS = """
DELETE FROM _orgdata.loads AS old USING (
    SELECT schema_name, table_name, partition_key, max(loaded_at) AS newest,
        max(loaded_at) FILTER (row_count > 0) AS filled
    FROM _orgdata.loads WHERE status = 'landed' GROUP BY ALL) AS kept
WHERE old.schema_name = kept.schema_name AND old.table_name = kept.table_name
    AND old.partition_key IS NOT DISTINCT FROM kept.partition_key
    AND old.loaded_at NOT IN (kept.newest, coalesce(kept.filled, kept.newest)) AND old.loaded_at < kept.newest
    AND old.loaded_at < ?
"""


class Pruned(NamedTuple):
    """Number of removed rows per table of the ledger."""

    requests: int
    loads: int


def prune(connection: duckdb.DuckDBPyConnection, *, requests_before: datetime, loads_before: datetime) -> Pruned:
    """Remove requests and loads that are older than the two instants.

    The newest load of each partition is kept regardless of its age, because it describes the partition and its cost.
    The newest load with rows is also kept, because it lists the columns that the vendor sent last.
    """
    requests = connection.execute("DELETE FROM _orgdata.requests WHERE sent_at < ?", [requests_before]).fetchone()
    loads = connection.execute(_OLD_LOADS, [loads_before]).fetchone()
    return Pruned(requests[0] if requests else 0, loads[0] if loads else 0)
