"""The days of a table as pictures on the page of its asset: their completeness, and what was pulled.

Here: `of_days`. Add here when: the page should show another picture. Keep out: drawing (pictures/), queries
(warehouse/ledger/).
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping
from datetime import UTC, date, datetime

import dagster as dg
import duckdb

from orgdata_dagster.orchestration.pictures.plots import bars
from orgdata_dagster.orchestration.pictures.svg import calendar_svg, days_per_state, markdown_of
from orgdata_dagster.warehouse.commit.target import Target
from orgdata_dagster.warehouse.ledger import coverage, history
from orgdata_dagster.warehouse.ledger.calendar import DayState, by_their_day, calendar

_PLOTTED, _LISTED = 60, 7
_NAMED = 10
_MONTHS = 12
_MARKS = {"complete": "█", "unfinished": "▌", "incomplete": "▒", "missing": "×"}
_LEGEND = ("█ complete ▌ unfinished", "▒ incomplete × missing · not requested")  # about 40 columns are seen


def of_days(connection: duckdb.DuckDBPyConnection, target: Target) -> dict[str, dg.MetadataValue]:
    """The metadata `days` and `calendar`, if the table has days, and `activity`: rows, requests and waits."""
    now = datetime.now(UTC)
    known = coverage.known(connection, target.table)
    days = calendar(by_their_day(known) if target.snapshots else known, now)
    shown: dict[str, dg.MetadataValue] = {}
    if days:
        shown["days"] = dg.MetadataValue.md(_months(days))
        shown["calendar"] = dg.MetadataValue.md(_calendar(days, now.date()))
    if activity := _activity(connection, target):
        shown["activity"] = dg.MetadataValue.md(activity)
    return shown


def _calendar(days: Mapping[date, DayState], today: date) -> str:
    summary = f"{min(days)} to {max(days)}: {days_per_state(days.values())}"
    lacking = [f"{day} ({state})" for day, state in days.items() if state in ("incomplete", "missing")]
    more = f" and {len(lacking) - _NAMED} earlier" if len(lacking) > _NAMED else ""
    listed = f"\n\nNot complete: {', '.join(lacking[-_NAMED:])}{more}" if lacking else ""
    return f"{markdown_of(calendar_svg(days, today), summary)}\n\n{summary}{listed}"


def _months(days: Mapping[date, DayState]) -> str:
    """The last year as text, one line per month: the UI shows text at once, and a picture only after a click."""
    lines = []
    for year, month in sorted({(day.year, day.month) for day in days})[-_MONTHS:]:
        marks = "".join(
            _MARKS.get(days.get(date(year, month, number + 1), ""), "·") for number in range(monthrange(year, month)[1])
        )
        lines.append(f"{year}-{month:02} {marks}")
    return "\n".join(["```", *lines, *_LEGEND, "```"])


def _activity(connection: duckdb.DuckDBPyConnection, target: Target) -> str:
    """Rows by day of the data, and requests and waits by day of the pull: two plots, or a table without matplotlib."""
    rows = history.rows_by_day(connection, target.table, _PLOTTED)
    work = history.work_by_day(connection, target.table, _PLOTTED)
    if not rows:
        return ""
    first = bars(list(rows), {"rows": list(rows.values())})
    second = bars(
        list(work),
        {
            "requests, by day of the pull": [requests for requests, _ in work.values()],
            "seconds of waiting for the rate limit, added up over requests": [waited for _, waited in work.values()],
        },
    )
    if first and second:
        return f"{markdown_of(first, 'rows by day')}\n\n{markdown_of(second, 'requests and waits by day of the pull')}"
    every = sorted({*rows, *work}, reverse=True)[:_LISTED]
    lines = [
        f"| {day} | {_cell(rows.get(day))} | {_cell(work.get(day, (None,))[0])} | {_wait(work.get(day))} |"
        for day in every
    ]
    return "\n".join(["| day | rows | requests | waited (s) |", "|---|--:|--:|--:|", *lines])


def _cell(number: float | None) -> str:
    return "" if number is None else f"{number:,}"


def _wait(work: tuple[int, float] | None) -> str:
    return "" if work is None else f"{work[1]:,.0f}"
