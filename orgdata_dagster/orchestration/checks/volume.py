"""Whether a partition has about as many rows as those before it.

Here: `volumes`, `whole_volume`. Keep out: refusing what shrank too much (warehouse/commit/snapshots.py).

The measure is the least and the most of the 28 partitions before, halved and doubled: so weekends without a row are
nothing unusual where they are usual. Under 7 partitions before, nobody can tell. A table without partitions is measured
by what its own pulls of the last 28 days found.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg
import duckdb

from orgdata_dagster.warehouse.names import PARTITION, TableName

_BEFORE, _FEWEST = 28, 7
_MOST_PULLS = 100
_ROWS = "dagster/row_count"

_SQL = f"""
WITH counted AS (
    SELECT partition_key AS name, count(rows.{{partition}}) AS held
    FROM (SELECT DISTINCT partition_key FROM _orgdata.loads WHERE schema_name = ? AND table_name = ?
        AND status = 'landed' AND partition_key IS NOT NULL AND partition_key < ?) AS loads
    LEFT JOIN {{table}} AS rows ON rows.{{partition}} = partition_key GROUP BY ALL),
beside AS (
    SELECT name, held, min(held) OVER earlier AS least, max(held) OVER earlier AS most, count(*) OVER earlier AS known
    FROM counted
    WINDOW earlier AS (ORDER BY name ROWS BETWEEN {_BEFORE} PRECEDING AND 1 PRECEDING))
SELECT name, held, least, most FROM beside WHERE known >= {_FEWEST} AND list_contains(?, name) ORDER BY name
"""


@dataclass(frozen=True)
class Volume:
    """A partition's rows, and the least and most of those before it."""

    partition: str
    rows: int
    least: int
    most: int

    @property
    def strange(self) -> bool:
        """Whether there are under half of the least or over twice the most."""
        return self.rows < self.least / 2 or self.rows > 2 * self.most

    def __str__(self) -> str:
        return f"{self.partition}: {self.rows} rows, before it {self.least} to {self.most}"


def volumes(
    connection: duckdb.DuckDBPyConnection, table: TableName, partitions: Collection[str | None], today: str
) -> list[Volume]:
    """Of each of the partitions that are over, where enough came before it. `today`: the one that is not over."""
    asked = [name for name in partitions if name is not None and name < today]
    if not asked:
        return []
    sql = _SQL.format(table=table.sql, partition=PARTITION)
    rows = connection.execute(sql, [table.schema, table.name, today, asked]).fetchall()
    return [Volume(*row) for row in rows]


def whole_volume(
    instance: dg.DagsterInstance, key: dg.AssetKey, metadata: Mapping[str, dg.MetadataValue]
) -> list[Volume]:
    """Of a table without partitions: its rows now, beside those of its pulls of the last 28 days."""
    since = (datetime.now(UTC) - timedelta(days=_BEFORE)).timestamp()
    wanted = dg.AssetRecordsFilter(asset_key=key, after_timestamp=since)
    found = instance.fetch_materializations(wanted, limit=_MOST_PULLS).records
    events = [record.asset_materialization for record in found]
    rows = [int(str(event.metadata[_ROWS].value)) for event in events if event and _ROWS in event.metadata]
    if len(rows) < _FEWEST:
        return []
    return [Volume("now", int(str(metadata[_ROWS].value)), min(rows), max(rows))]
