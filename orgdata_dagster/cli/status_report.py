"""`orgdata status` on the terminal: the tables, how complete they are, and how much of the rate limits is used.

Here: printing. Keep out: the command and its options (read_commands.py), collecting the figures (overview/), the
reasons of failures (orchestration/reasons.py).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console

from orgdata_dagster.cli.layout import WIDE, figures, hanging, skipped
from orgdata_dagster.counting import counted
from orgdata_dagster.dagster_internals.failing_checks import FailingCheck
from orgdata_dagster.http.rest.walk import NOT_PROVEN
from orgdata_dagster.http.waiting import span
from orgdata_dagster.overview.failure import Failure
from orgdata_dagster.overview.outline import VendorOutline
from orgdata_dagster.overview.pauses import VendorPause
from orgdata_dagster.overview.table_statuses import TableStatus


def show_failing(console: Console, found: Iterable[FailingCheck]) -> None:
    """Print the failing checks, one line per check."""
    for one in found:
        style = "red" if one.error else "yellow"
        hanging(console, "", f"{one} (since {_time(one.at)})", indent=2, style=style)


def show_tables(console: Console, statuses: Sequence[TableStatus]) -> None:
    """Print the tables; on a narrow console, grouped by vendor."""
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
    if unproven := [status.table for status in statuses if status.unproven]:
        hanging(console, f"{NOT_PROVEN}: ", ", ".join(unproven), indent=2)


def show_rate_limits(console: Console, rows: Iterable[dict[str, Any]]) -> None:
    """Print how much of the rate limits is used, one line per vendor."""
    for vendor, windows in itertools.groupby(rows, lambda row: row["vendor"]):
        used = [f"{row['spent']:,g} of {counted(row['points'], 'point')} in {row['seconds']:g} s" for row in windows]
        hanging(console, f"rate limit of {vendor}: ", ", ".join(used), indent=2)


def show_unconfigured(console: Console, vendors: Iterable[VendorOutline]) -> None:
    """Print which vendors have no credentials."""
    for each in vendors:
        if each.off:
            skipped(console, each.name, each.off)


def show_pauses(console: Console, found: Iterable[VendorPause]) -> None:
    """Print which vendors get no request, why, and what to do."""
    for each in found:
        state = "PAUSED" if each.until else "STOPPED"
        hanging(console, f"{each.vendor} is {state}: ", f"{each.text}. {each.remedy}", indent=2, style="red")


def show_failed(console: Console, found: Iterable[Failure]) -> None:
    """Print the tables and syncs whose last run failed: since when, why, and the command that helps."""
    for one in found:
        since = (
            f"since {_time(one.since)}, {span((datetime.now(UTC) - one.since).total_seconds())}" if one.since else ""
        )
        hanging(console, f"FAILED {one.name} ", f"({since}): {one.what}", indent=2, style="red")
        hanging(console, "  ", one.remedy)


def _time(instant: datetime | None) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%d %H:%M") if instant else "-"


def _shortened(days: list[str]) -> str:
    return ", ".join(days[:3]) + (f" and {len(days) - 3} more" if len(days) > 3 else "")
