"""The ledger of coverage: the intervals of time that a table is proven to contain completely.

Here: reading and writing `_orgdata.coverage`. Add here: another query on it.
Keep out: arithmetic on intervals (intervals.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import duckdb

from orgdata_dagster.warehouse.catalog import columns_of
from orgdata_dagster.warehouse.ledger import schema
from orgdata_dagster.warehouse.ledger.intervals import Interval, until
from orgdata_dagster.warehouse.ledger.loads import LoadRecord
from orgdata_dagster.warehouse.names import TableName, literal


def write_coverage(
    connection: duckdb.DuckDBPyConnection, proven: Sequence[tuple[LoadRecord, Sequence[Interval]]]
) -> None:
    """Replace the coverage of some partitions by the intervals that their loads prove."""
    for table in {load.table for load, _ in proven}:
        partitions = [load.partition for load, _ in proven if load.table == table]
        connection.execute(
            "DELETE FROM _orgdata.coverage WHERE schema_name = ? AND table_name = ? "
            "AND (partition_key IN (SELECT unnest(CAST(? AS VARCHAR[]))) OR (partition_key IS NULL AND ?))",
            [table.schema, table.name, partitions, None in partitions],
        )
    rows = [
        {
            "schema_name": load.table.schema,
            "table_name": load.table.name,
            "partition_key": load.partition,
            "from_instant": interval.start,
            "to_instant": interval.end,
            "complete": interval.complete,
            "reason": interval.reason,
            "proof": interval.proof,
            "as_of": load.as_of,
            "run_id": load.run_id,
            "recorded_at": load.loaded_at,
        }
        for load, intervals in proven
        for interval in intervals
    ]
    schema.insert(connection, "coverage", rows)


def known(connection: duckdb.DuckDBPyConnection, table: TableName) -> dict[str | None, tuple[Interval, ...]]:
    """Partition -> its intervals in order, up to now. Empty if nothing has landed yet.

    Intervals in the future were written while this machine's clock was wrong. They prove nothing and are ignored.
    """
    if not schema.exists(connection):
        return {}
    proof = "proof" if _has_proofs(connection) else "NULL"
    rows = connection.execute(
        f"SELECT partition_key, from_instant, to_instant, reason, {proof} FROM _orgdata.coverage "
        "WHERE schema_name = ? AND table_name = ? ORDER BY from_instant",
        [table.schema, table.name],
    ).fetchall()
    result: dict[str | None, tuple[Interval, ...]] = {}
    for partition, start, end, reason, shown_by in rows:
        result[partition] = (*result.get(partition, ()), Interval(start, end, reason, shown_by))
    now = datetime.now(UTC)
    return {partition: until(parts, now) for partition, parts in result.items()}


def mark_incomplete(connection: duckdb.DuckDBPyConnection, table: TableName, kept: Sequence[str], reason: str) -> None:
    """Mark all complete partitions of a table as incomplete, except the partitions `kept`."""
    connection.execute(
        "UPDATE _orgdata.coverage SET complete = false, reason = ?, proof = NULL "
        "WHERE schema_name = ? AND table_name = ? AND complete AND NOT list_contains(?, partition_key)",
        [reason, table.schema, table.name, list(kept)],
    )


@dataclass(frozen=True)
class Reach:
    """How far a table's partitions are covered.

    ends: partition -> end of its last interval, at most now, in Unix seconds.
    incomplete: the partitions of which a part is not proven complete.
    """

    ends: Mapping[str | None, float] = field(default_factory=dict)
    incomplete: frozenset[str | None] = frozenset()


def reaches(connection: duckdb.DuckDBPyConnection) -> dict[TableName, Reach]:
    """Table -> its reach. This is less than `known` returns, so that one query can read years of all tables."""
    if not schema.exists(connection):
        return {}
    rows = connection.execute(
        """
        SELECT schema_name, table_name, list(partition_key), list(until), list(partition_key) FILTER (NOT whole)
        FROM (
            SELECT schema_name, table_name, partition_key, epoch(least(max(to_instant), now())) AS until,
                bool_and(complete) AS whole
            FROM _orgdata.coverage WHERE from_instant < now() GROUP BY ALL
        )
        GROUP BY ALL
        """
    ).fetchall()
    return {
        TableName(vendor, name): Reach(dict(zip(partitions, ends, strict=True)), frozenset(incomplete or ()))
        for vendor, name, partitions, ends, incomplete in rows
    }


def waiting_for(connection: duckdb.DuckDBPyConnection, words: str) -> dict[TableName, list[str | None]]:
    """Table -> its partitions that are incomplete for a reason that contains `words`, in order."""
    if not schema.exists(connection):
        return {}
    rows = connection.execute(
        "SELECT schema_name, table_name, list(DISTINCT partition_key) FROM ("
        "SELECT schema_name, table_name, coalesce(partition_key, '') AS partition_key "
        # no parameter, because DuckDB then imports pandas, which takes longer than the rest of `orgdata status`
        f"FROM _orgdata.coverage WHERE contains(reason, {literal(words)})) GROUP BY ALL"
    ).fetchall()
    return {TableName(vendor, name): [one or None for one in sorted(found)] for vendor, name, found in rows}


def proven_by(connection: duckdb.DuckDBPyConnection, proof: str) -> set[TableName]:
    """The tables of which a complete interval has this proof."""
    if not schema.exists(connection) or not _has_proofs(connection):
        return set()
    rows = connection.execute(
        "SELECT DISTINCT schema_name, table_name FROM _orgdata.coverage "
        f"WHERE complete AND contains(proof, {literal(proof)})"
    ).fetchall()
    return {TableName(vendor, name) for vendor, name in rows}


def _has_proofs(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether proofs are stored: a warehouse of the previous version has no such column until the first commit."""
    return "proof" in columns_of(connection, TableName("_orgdata", "coverage"))


def complete_until(
    connection: duckdb.DuckDBPyConnection, only: TableName | None = None
) -> dict[TableName, datetime | None]:
    """Table -> the end of its last complete interval, at most now; None if nothing of it is proven complete.

    only: read only this table; None for all tables.
    """
    if not schema.exists(connection):
        return {}
    where = "WHERE schema_name = ? AND table_name = ? " if only else ""
    rows = connection.execute(
        "SELECT schema_name, table_name, least(max(to_instant) FILTER (complete), now()) FROM _orgdata.coverage "
        f"{where}GROUP BY ALL",
        [only.schema, only.name] if only else [],
    ).fetchall()
    return {TableName(vendor, name): until for vendor, name, until in rows}


def first_partition(connection: duckdb.DuckDBPyConnection, vendor: str) -> str:
    """The first partition of all tables of a vendor; "" if nothing has landed."""
    if not schema.exists(connection):
        return ""
    row = connection.execute(
        "SELECT min(partition_key) FROM _orgdata.coverage WHERE schema_name = ?", [vendor]
    ).fetchone()
    return str(row[0]) if row and row[0] else ""


def landed_since(connection: duckdb.DuckDBPyConnection, table: TableName, since: datetime) -> set[str | None]:
    """The complete partitions that were committed at or after `since`, by this machine's clock."""
    if not schema.exists(connection):
        return set()
    rows = connection.execute(
        "SELECT partition_key FROM _orgdata.coverage WHERE schema_name = ? AND table_name = ? "
        "GROUP BY ALL HAVING bool_and(complete AND recorded_at >= ?)",
        [table.schema, table.name, since],
    ).fetchall()
    return {row[0] for row in rows}
