"""The state of every table: rows, complete days, gaps.

Here: `TableStatus`, `table_statuses`. Keep out: queries on the ledger (warehouse/ledger/overview.py), presentation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import duckdb

from orgdata_dagster.counting import counted
from orgdata_dagster.http.rest.walk import UNPROVEN
from orgdata_dagster.orchestration import opening
from orgdata_dagster.orchestration.days import day_of
from orgdata_dagster.overview.emptied import ACCEPT, acceptance, in_words
from orgdata_dagster.overview.outline import Outline, Partitions
from orgdata_dagster.warehouse.catalog import stored
from orgdata_dagster.warehouse.ledger import coverage
from orgdata_dagster.warehouse.ledger.overview import missing_days, overview
from orgdata_dagster.warehouse.names import TableName, folded


@dataclass(frozen=True)
class TableStatus:
    """One table as `status` shows it. Times are UTC.

    first_day, last_day: None if nothing has landed.
    missing_partitions: partitions between first and last day without coverage.
    incomplete: partitions with incomplete coverage.
    complete_until, last_loaded: None if nothing has landed.
    unproven: whether only the vendor's word shows that a list was complete, because it has no total to compare with.
    notes: clauses about partitions or tables in the ledger that the configuration or the warehouse no longer has, and
        about partitions whose rows the vendor seems to have deleted.
    """

    table: str
    rows: int
    days_complete: int
    first_day: str | None
    last_day: str | None
    missing_partitions: list[str]
    incomplete: list[str]
    complete_until: datetime | None
    last_loaded: datetime | None
    unproven: bool = False
    notes: list[str] = field(default_factory=list)


def table_statuses(outline: Outline) -> list[TableStatus]:
    """The status of every table of an asset, and of all other tables in the ledger."""
    warehouse, configured = opening.warehouse(), outline.tables
    known: dict[str, TableStatus] = {}
    if warehouse.exists:
        with warehouse.reading() as connection:
            emptied = coverage.waiting_for(connection, ACCEPT)
            there = stored(connection)
            unproven = coverage.proven_by(connection, UNPROVEN)
            for row in overview(connection):
                name = TableName(str(row["schema_name"]), str(row["table_name"]))
                rows = _count(connection, name) if folded(str(name)) in there else None
                notes = [] if str(name) in configured else ["is no longer in the configuration; its rows are kept"]
                notes += [] if rows is not None else ["was dropped from the warehouse; its next pull creates it again"]
                if gone := emptied.get(name):
                    notes.append(f"may be outdated: {in_words(gone)}. {acceptance(f'{name.schema}/{name.name}', gone)}")
                status = _status(str(name), row, rows or 0, configured.get(str(name)), notes)
                known[str(name)] = replace(status, unproven=name in unproven)
    for table in configured:
        known.setdefault(table, TableStatus(table, 0, 0, None, None, [], [], None, None))
    return sorted(known.values(), key=lambda status: status.table)


def _count(connection: duckdb.DuckDBPyConnection, table: TableName) -> int:
    row = connection.execute(f"SELECT count(*) FROM {table.sql}").fetchone()
    return row[0] if row else 0


def _status(
    name: str, row: dict[str, Any], rows: int, partitions: Partitions | None, notes: Sequence[str]
) -> TableStatus:
    covered = [key for key in row["covered"] or [] if key]
    wanted, others = covered, list[str]()
    if partitions is not None:
        start = str(partitions.start)
        wanted = [day for day in covered if day >= start]
        others = _of_other_kind(partitions, row["partition_keys"] or ())
    if len(wanted) < len(covered):
        notes = [*notes, f"has {counted(len(covered) - len(wanted), 'day')} before its start_date; they are kept"]
    if others:
        notes = [
            *notes,
            f"has {counted(len(others), 'partition')} of a former partitioning, such as {others[0]}; they are kept",
        ]
    return TableStatus(
        name,
        rows,
        row["days_complete"],
        covered[0] if covered else None,
        covered[-1] if covered else None,
        missing_days(wanted),
        [key for key in row["incomplete"] or [] if key],
        row["complete_until"],
        row["last_loaded"],
        notes=list(notes),
    )


def _of_other_kind(partitions: Partitions, names: Sequence[str]) -> list[str]:
    """Partitions since the start that the definition does not contain, such as days after a change to weeks."""
    since = [(name, day) for name in names if (day := day_of(name)) and day >= partitions.start]
    return [name for name, day in since if not partitions.has(day)]
