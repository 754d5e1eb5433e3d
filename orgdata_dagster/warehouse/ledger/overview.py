"""The state of every table, as `orgdata status` shows it.

Here: one query on loads and coverage, and the days that are missing between covered days.
Keep out: presentation (overview/).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import duckdb

from orgdata_dagster.warehouse.ledger import schema

_OVERVIEW = """
WITH parts AS (
    SELECT schema_name, table_name, partition_key, bool_and(complete) AS complete,
        max(to_instant) - min(from_instant) AS span, TRY_CAST(partition_key AS TIMESTAMP) AS first_day,
        least(max(to_instant) FILTER (complete), now()) AS complete_until,
        string_agg(reason, '; ') AS reasons
    FROM _orgdata.coverage GROUP BY ALL),
days AS (  -- a partition may be a week or a month; its last day, if unfinished, is covered but not complete
    SELECT *, CASE WHEN complete AND first_day IS NOT NULL THEN CAST(floor(epoch(span) / 86400) AS BIGINT) ELSE 0 END
            AS days_complete,
        list_transform(range(first_day, first_day + span, INTERVAL 1 DAY), lambda day: strftime(day, '%Y-%m-%d'))
            AS days
    FROM parts),
partitions AS (
    SELECT schema_name, table_name, max(loaded_at) AS last_loaded, count(DISTINCT partition_key) AS partitions
    FROM _orgdata.loads WHERE status = 'landed' GROUP BY ALL)
SELECT p.schema_name, p.table_name, p.partitions, p.last_loaded,
    coalesce(CAST(sum(days.days_complete) AS BIGINT), 0) AS days_complete, max(days.complete_until) AS complete_until,
    list(days.partition_key ORDER BY days.partition_key) FILTER (days.reasons IS NOT NULL) AS incomplete,
    list(DISTINCT days.partition_key) FILTER (days.partition_key IS NOT NULL) AS partition_keys,
    list_sort(flatten(list(days.days) FILTER (days.first_day IS NOT NULL))) AS covered
FROM partitions AS p LEFT JOIN days USING (schema_name, table_name) GROUP BY ALL ORDER BY ALL
"""


def overview(connection: duckdb.DuckDBPyConnection) -> list[dict[str, object]]:
    """One dict per table, in order.

    schema_name, table_name: the table.
    partitions: number of partitions.
    last_loaded: time of the last load.
    days_complete: number of days that are proven complete.
    complete_until: end of the last complete interval; None if there is none.
    incomplete: list of partitions that are not complete; None if there are none.
    partition_keys: list of all partitions.
    covered: list of the days of all partitions (YYYY-MM-DD).
    """
    if not schema.exists(connection):
        return []
    cursor = connection.execute(_OVERVIEW)
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def missing_days(covered: Sequence[str]) -> list[str]:
    """The days between the first and the last of `covered` (YYYY-MM-DD) that are not among them."""
    if not covered:
        return []
    first, last = date.fromisoformat(min(covered)), date.fromisoformat(max(covered))
    every = [(first + timedelta(days=number)).isoformat() for number in range((last - first).days + 1)]
    return sorted(set(every) - set(covered))
