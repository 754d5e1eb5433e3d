"""The volume check: a partition must have about as many rows as the partitions before it.

Here: `volumes`, `whole_volume`, `not_comparable`. Keep out: rejecting a snapshot that shrank too much
(warehouse/commit/snapshots.py).

The range is from half the minimum to twice the maximum of the 28 partitions before, so that a table that is empty on
weekends causes no warning. With fewer than 7 partitions before there is no check. A table without partitions is
compared with its own pulls of the last 28 days.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg
import duckdb

from orgdata_dagster.counting import counted
from orgdata_dagster.orchestration.partitions import bounds
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
    """The number of rows of a partition, and the minimum and maximum of the partitions before it."""

    partition: str
    rows: int
    least: int
    most: int

    @property
    def is_unusual(self) -> bool:
        """Whether there are fewer rows than half the minimum, or more than twice the maximum."""
        return self.rows < self.least / 2 or self.rows > 2 * self.most

    def __str__(self) -> str:
        return f"{self.partition}: {counted(self.rows, 'row')}; the partitions before have {self.least} to {self.most}"


def volumes(
    connection: duckdb.DuckDBPyConnection, table: TableName, partitions: Collection[str | None], today: str
) -> list[Volume]:
    """The volumes of the partitions before `today` that have enough partitions before them."""
    days = [name for name in partitions if name is not None and name < today]
    if not days:
        return []
    sql = _SQL.format(table=table.sql, partition=PARTITION)
    rows = connection.execute(sql, [table.schema, table.name, today, days]).fetchall()
    return [Volume(*row) for row in rows]


def not_comparable(asset: str, definition: dg.PartitionsDefinition | None, pulled: Collection[str | None]) -> str:
    """Why a pull cannot be compared, and how it becomes comparable."""
    if not isinstance(definition, dg.TimeWindowPartitionsDefinition) or None in pulled:
        return f"fewer than {_FEWEST} earlier pulls in {_BEFORE} days; later pulls are compared"
    if not pulled:
        return "no partition was replaced: the answer was not accepted, or the warehouse has newer data"
    start, end = bounds(definition, min(name for name in pulled if name))
    earlier = max(start - _FEWEST * (end - start), definition.start)
    text = f"fewer than {_FEWEST} partitions before it have landed"
    if earlier >= start:
        return f"{text}, because the table begins here; later days, or an earlier start_date, make it comparable"
    return f"{text}; `orgdata pull {asset} --from {earlier.date()}` makes it comparable if the vendor has these days"


def whole_volume(
    instance: dg.DagsterInstance, key: dg.AssetKey, metadata: Mapping[str, dg.MetadataValue]
) -> list[Volume]:
    """The volume of a table without partitions, compared with its pulls of the last 28 days."""
    since = (datetime.now(UTC) - timedelta(days=_BEFORE)).timestamp()
    wanted = dg.AssetRecordsFilter(asset_key=key, after_timestamp=since)
    found = instance.fetch_materializations(wanted, limit=_MOST_PULLS).records
    events = [record.asset_materialization for record in found]
    rows = [int(str(event.metadata[_ROWS].value)) for event in events if event and _ROWS in event.metadata]
    if len(rows) < _FEWEST:
        return []
    return [Volume("now", int(str(metadata[_ROWS].value)), min(rows), max(rows))]
