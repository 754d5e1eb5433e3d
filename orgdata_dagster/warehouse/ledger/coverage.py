"""Coverage: which part of the time line a table is proven to hold completely.

Here: arithmetic on intervals, and the questions to the ledger about them. Add here: another question.
Keep out: writing (ledger.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import duckdb

from orgdata_dagster.warehouse.ledger import store
from orgdata_dagster.warehouse.ledger.store import Interval
from orgdata_dagster.warehouse.names import TableName

_OVERVIEW = """
WITH parts AS (
    SELECT schema_name, table_name, partition_key, bool_and(complete) AS complete,
        max(to_instant) - min(from_instant) AS span, TRY_CAST(partition_key AS TIMESTAMP) AS first_day,
        least(max(to_instant) FILTER (complete), now()) AS complete_until,
        string_agg(reason, '; ') AS reasons
    FROM _orgdata.coverage GROUP BY ALL),
days AS (  -- a partition may be a week or a month; what is begun of its last day counts as covered, not as complete
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


def intervals(start: datetime, end: datetime, gaps: Iterable[Interval]) -> tuple[Interval, ...]:
    """`[start, end)` as intervals in order: complete but for the gaps. Nothing where `end` is not after `start`."""
    result: list[Interval] = []
    at = start
    for gap in sorted(gaps, key=lambda gap: gap.start):
        if gap.start >= end:
            break
        if gap.start > at:
            result.append(Interval(at, gap.start))
        result.append(gap)
        at = gap.end
    if end > at:
        result.append(Interval(at, end))
    return tuple(result)


def joined(parts: Iterable[Interval]) -> tuple[Interval, ...]:
    """The same coverage with neighbouring complete intervals made one."""
    result: list[Interval] = []
    for part in sorted(parts, key=lambda part: part.start):
        if result and part.complete and result[-1].complete and result[-1].end == part.start:
            result[-1] = Interval(result[-1].start, part.end)
        else:
            result.append(part)
    return tuple(result)


def until(parts: Iterable[Interval], end: datetime) -> tuple[Interval, ...]:
    """The coverage cut off at `end`."""
    return tuple(replace(part, end=min(part.end, end)) for part in parts if part.start < end)


def known(connection: duckdb.DuckDBPyConnection, table: TableName) -> dict[str | None, tuple[Interval, ...]]:
    """Partition -> its intervals in order, up to now. Empty where nothing has landed yet.

    What lies ahead was written while this machine's clock was wrong, and proves nothing.
    """
    if not store.exists(connection):
        return {}
    rows = connection.execute(
        "SELECT partition_key, from_instant, to_instant, reason FROM _orgdata.coverage "
        "WHERE schema_name = ? AND table_name = ? ORDER BY from_instant",
        [table.schema, table.name],
    ).fetchall()
    result: dict[str | None, tuple[Interval, ...]] = {}
    for partition, start, end, reason in rows:
        result[partition] = (*result.get(partition, ()), Interval(start, end, reason))
    now = datetime.now(UTC)
    return {partition: until(parts, now) for partition, parts in result.items()}


def landed_since(connection: duckdb.DuckDBPyConnection, table: TableName, since: datetime) -> set[str | None]:
    """The partitions that were committed at or after `since`, by our clock, and hold all that there was to have."""
    if not store.exists(connection):
        return set()
    rows = connection.execute(
        "SELECT partition_key FROM _orgdata.coverage WHERE schema_name = ? AND table_name = ? "
        "GROUP BY ALL HAVING bool_and(complete AND recorded_at >= ?)",
        [table.schema, table.name, since],
    ).fetchall()
    return {row[0] for row in rows}


def overview(connection: duckdb.DuckDBPyConnection) -> list[dict[str, object]]:
    """A row a table: partitions, last load, days proven complete, the partitions that are not and why."""
    if not store.exists(connection):
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
