"""`orgdata status`: the tables in the warehouse, how complete they are, and how much of the rate limits is used.

Here: collecting and printing this. Keep out: queries on the ledger (warehouse/ledger/overview.py).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
from rich.console import Console

from orgdata_dagster import settings
from orgdata_dagster.cli.emptied import ACCEPT, acceptance, in_words
from orgdata_dagster.cli.layout import WIDE, figures, hanging
from orgdata_dagster.cli.outline import Outline, Partitions
from orgdata_dagster.cli.pauses import lift, pause_in_words
from orgdata_dagster.dagster_internals.failing_checks import FailingCheck, failing_checks
from orgdata_dagster.http.waiting import span
from orgdata_dagster.orchestration import opening
from orgdata_dagster.orchestration.days import day_of
from orgdata_dagster.warehouse.catalog import stored
from orgdata_dagster.warehouse.ledger import coverage
from orgdata_dagster.warehouse.ledger.overview import missing_days, overview
from orgdata_dagster.warehouse.names import TableName, folded


@dataclass(frozen=True)
class TableStatus:
    """One table as `status` shows it. Times are UTC.

    first_day, last_day: None if nothing has landed.
    missing_partitions: partitions between first and last day without coverage; `incomplete`: with incomplete coverage.
    complete_until, last_loaded: None if nothing has landed.
    notes: clauses about partitions or tables in the ledger that the configuration or the warehouse no longer has, and
        about partitions that look emptied at the vendor.
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
    notes: list[str] = field(default_factory=list)


def table_statuses(outline: Outline) -> list[TableStatus]:
    """The status of every table of an asset, and of every other table in the ledger."""
    warehouse, configured = opening.warehouse(), outline.tables
    known: dict[str, TableStatus] = {}
    if warehouse.exists:
        with warehouse.reading() as connection:
            emptied = coverage.waiting_for(connection, ACCEPT)
            there = stored(connection)
            for row in overview(connection):
                name = TableName(str(row["schema_name"]), str(row["table_name"]))
                rows = _count(connection, name) if folded(str(name)) in there else None
                notes = [] if str(name) in configured else ["is no longer in the configuration; its rows are kept"]
                notes += [] if rows is not None else ["was dropped from the warehouse; its next pull creates it again"]
                if gone := emptied.get(name):
                    notes.append(f"may be outdated: {in_words(gone)}. {acceptance(f'{name.schema}/{name.name}', gone)}")
                known[str(name)] = _status(str(name), row, rows or 0, configured.get(str(name)), notes)
    for table in configured:
        known.setdefault(table, TableStatus(table, 0, 0, None, None, [], [], None, None))
    return sorted(known.values(), key=lambda status: status.table)


def _count(connection: duckdb.DuckDBPyConnection, table: TableName) -> int:
    row = connection.execute(f"SELECT count(*) FROM {table.sql}").fetchone()
    return row[0] if row else 0


def rate_limits(outline: Outline) -> list[dict[str, Any]]:
    """Per vendor and window of its rate limit: `points` allowed in `seconds`, and `spent` in the current window."""
    result: list[dict[str, Any]] = []
    for vendor in outline.vendors:
        if vendor.rule.buckets:
            for used in vendor.rate_limit().usage():
                result.append(
                    {
                        "vendor": vendor.name,
                        "points": used.window.points,
                        "seconds": used.window.seconds,
                        "spent": round(used.spent, 1),
                    }
                )
    return result


def pauses(outline: Outline) -> dict[str, str]:
    """Paused vendor -> until when no request is sent, in words."""
    found = {vendor.name: vendor.rate_limit().paused() for vendor in sorted(outline.vendors, key=lambda one: one.name)}
    now = datetime.now(UTC)
    return {vendor: pause_in_words(pause, now) for vendor, pause in found.items() if pause}


def failing(outline: Outline) -> list[FailingCheck]:
    """The checks whose last result is a failure."""
    folder = os.environ.get("DAGSTER_HOME") or settings.dagster_home()
    return failing_checks(Path(folder), set(outline.checks))


def show_failing(console: Console, found: Iterable[FailingCheck]) -> None:
    """Print the failing checks, one line per check."""
    for one in found:
        style = "red" if one.error else "yellow"
        hanging(console, "", f"{one} (since {_time(one.at)})", style=style)


def show_tables(console: Console, statuses: Sequence[TableStatus]) -> None:
    """Print the tables; below each other by vendor where full names do not fit."""
    table, vendor, now = figures("table", "rows", "days", "gaps", "complete until", "age"), "", datetime.now(UTC)
    for status in statuses:
        name = status.table
        if console.width < WIDE:
            if (own := name.split(".")[0]) != vendor:
                vendor = own
                table.add_row(vendor, style="bold")
            name = f"  {name.partition('.')[2]}"
        gaps = len(status.missing_partitions + status.incomplete)
        table.add_row(
            name,
            f"{status.rows:,}",
            f"{status.days_complete:,}" if status.first_day else "-",
            f"{gaps:,}" if gaps else "-",
            _time(status.complete_until),
            span((now - status.last_loaded).total_seconds()) if status.last_loaded else "never",
        )
    console.print(table)
    for status in statuses:
        if gaps_of := _shortened(status.missing_partitions + status.incomplete):
            hanging(console, f"{status.table} ", f"is not complete: {gaps_of}", indent=2)
        for note in status.notes:
            hanging(console, f"{status.table} ", note, indent=2)


def show_rate_limits(console: Console, rows: Iterable[dict[str, Any]]) -> None:
    """Print how much of the rate limits is used."""
    for row in rows:
        share = row["spent"] / row["points"]
        text = f"{row['spent']:g} of {row['points']:g} points in {row['seconds']:g} s ({share:.0%})"
        hanging(console, f"rate limit of {row['vendor']}: ", text, indent=2)


def show_pauses(console: Console, found: Mapping[str, str]) -> None:
    """Print which vendors are paused, and how to lift the pause."""
    for vendor, told in found.items():
        hanging(console, f"{vendor} is PAUSED: ", f"{told}. {lift(vendor)}", indent=2, style="red")


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
        notes = [*notes, f"has {len(covered) - len(wanted)} days before its start_date; they are kept"]
    if others:
        notes = [*notes, f"has {len(others)} partitions of a former partitioning, such as {others[0]}; they are kept"]
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
        list(notes),
    )


def _of_other_kind(partitions: Partitions, names: Sequence[str]) -> list[str]:
    """Partitions since the start that the definition does not have, such as days after a change to weeks."""
    since = [(name, day) for name in names if (day := day_of(name)) and day >= partitions.start]
    return [name for name, day in since if not partitions.has(day)]


def _time(instant: datetime | None) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%d %H:%M") if instant else "-"


def _shortened(days: list[str]) -> str:
    return ", ".join(days[:3]) + (f" and {len(days) - 3} more" if len(days) > 3 else "")
