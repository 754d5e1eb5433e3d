"""Checking that every row of a commit has a unique key.

Here: `KeyProblems`, and the check in the commit's transaction. Keep out: merging by key (merging.py).

A row without a key, or two rows with the same key (and the same instant, if rows have versions), is an error: the
commit fails, and the table is unchanged. Snapshots are an exception. They are stored and the asset check `keys` reports
the problem, because the day of a snapshot that is not stored would be lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb

from orgdata_dagster.warehouse.catalog import table_columns
from orgdata_dagster.warehouse.commit.target import Target
from orgdata_dagster.warehouse.errors import KeysViolated
from orgdata_dagster.warehouse.names import KEY_TYPES, LOADED_AT, PARTITION, quoted


@dataclass(frozen=True)
class KeyProblems:
    """Number of rows of a commit without a unique key.

    missing: rows in which all columns of the key are empty.
    duplicates: rows that share their key with another row.
    case_only: keys that differ from another key only in case.
    type_only: keys that differ from another stored key only in JSON type, as 1 and "1" do.

    The last two count as different keys, as with the vendor.
    """

    missing: int = 0
    duplicates: int = 0
    case_only: int = 0
    type_only: int = 0

    @property
    def good(self) -> bool:
        """Whether every row has a unique key."""
        return not (self.missing or self.duplicates)

    def __add__(self, other: KeyProblems) -> KeyProblems:
        return KeyProblems(
            self.missing + other.missing,
            self.duplicates + other.duplicates,
            self.case_only + other.case_only,
            max(self.type_only, other.type_only),  # each is of the whole table
        )


def check(connection: duckdb.DuckDBPyConnection, target: Target, now: datetime) -> KeyProblems:
    """Check the keys of the rows that this commit inserted. Raises KeysViolated, except for snapshots."""
    columns = table_columns(connection, target.table)
    if not target.key or not {*target.key} <= {*columns}:
        return KeyProblems()
    values = [name for name in target.key if name != KEY_TYPES]
    lacking = " AND ".join(f"{quoted(name)} IS NULL" for name in values)
    texts = [quoted(name) for name in values if columns[name] == "VARCHAR"]
    mixed = " OR ".join(f"lower({name}) <> {name}" for name in texts) or "false"
    mine = f"FROM {target.table.sql} WHERE {LOADED_AT} = ?"
    row = connection.execute(f"SELECT count(*) FILTER ({lacking}), count(*) FILTER ({mixed}) {mine}", [now]).fetchone()
    missing, with_capitals = row or (0, 0)
    # a merge has left one row per key, so only other tables are checked
    duplicates = 0 if target.write_disposition == "merge" else _duplicates(connection, target, mine, now)
    case_only = _differ_in_case(connection, target, columns, mine, now) if with_capitals else 0
    type_only = _differ_in_type(connection, target, values) if KEY_TYPES in target.key else 0
    problems = KeyProblems(missing, duplicates, case_only, type_only)
    if not problems.good and not target.snapshots:
        raise KeysViolated(
            f"{target.table}: {problems.missing} rows have no value of the key {', '.join(values)}, and "
            f"{problems.duplicates} have one that another row has too. Nothing was stored. Correct `key` in defs.yaml, "
            "or ask the vendor."
        )
    return problems


def _differ_in_case(
    connection: duckdb.DuckDBPyConnection, target: Target, columns: Mapping[str, str], mine: str, now: datetime
) -> int:
    exact = ", ".join(map(quoted, target.key))
    alike = ", ".join(f"lower({quoted(name)})" if columns[name] == "VARCHAR" else quoted(name) for name in target.key)
    row = connection.execute(
        f"SELECT count(DISTINCT hash({exact})) - count(DISTINCT hash({alike})) {mine}", [now]
    ).fetchone()
    return int(row[0]) if row else 0


def _differ_in_type(connection: duckdb.DuckDBPyConnection, target: Target, values: Sequence[str]) -> int:
    exact, alike = ", ".join(map(quoted, target.key)), ", ".join(map(quoted, values))
    row = connection.execute(
        f"SELECT count(DISTINCT hash({exact})) - count(DISTINCT hash({alike})) FROM {target.table.sql}"
    ).fetchone()
    return int(row[0]) if row else 0


def _duplicates(connection: duckdb.DuckDBPyConnection, target: Target, mine: str, now: datetime) -> int:
    """Number of rows that share their key, and their instant if they have one, with another row of the partition.

    Hashes are compared first, which takes a third of the time: if all of them differ, so do the keys.
    """
    key = ", ".join(map(quoted, [*target.key, PARTITION]))
    row = connection.execute(f"SELECT count(*) - count(DISTINCT hash({key})) {mine}", [now]).fetchone()
    if not (row and row[0]):
        return 0
    dated = target.cursor is not None and target.cursor in table_columns(connection, target.table)
    version = f"{key}, {quoted(target.cursor or '')}" if dated else key
    row = connection.execute(f"SELECT count(*) - count(DISTINCT ({version})) {mine}", [now]).fetchone()
    return int(row[0]) if row else 0
