"""`orgdata show TABLE`: columns with types, keys and descriptions, the coverage as a calendar, and the last rows.

Here: collecting and printing this, for any table or view of the warehouse.
Keep out: the state of all tables (status_report.py), the YAML options of a table (explain.py).
"""

from __future__ import annotations

import sys
from calendar import monthrange
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from difflib import get_close_matches
from typing import Any

import duckdb
from rich.console import Console
from rich.text import Text

from orgdata_dagster.cli.errors import UserError
from orgdata_dagster.cli.query import result_of
from orgdata_dagster.cli.query.formats import rows_of
from orgdata_dagster.cli.query.table import plain
from orgdata_dagster.orchestration import opening
from orgdata_dagster.project import configured_tables
from orgdata_dagster.project.configured_tables import NotConfigured
from orgdata_dagster.warehouse.catalog import table_columns
from orgdata_dagster.warehouse.commit.target import Target
from orgdata_dagster.warehouse.ledger import coverage
from orgdata_dagster.warehouse.ledger.calendar import DayState, by_their_day, calendar
from orgdata_dagster.warehouse.names import LOADED_AT, TableName

_LAST_ROWS = 3
_MONTHS = 12
_MARKS: dict[DayState, tuple[str, str, str]] = {  # in UTF-8, in ASCII, colour
    "complete": ("█", "#", "green"),
    "unfinished": ("▌", "+", "green"),
    "incomplete": ("▒", "?", "yellow"),
    "missing": ("×", "x", "red"),
}
_NOT_REQUESTED = ("·", ".", "dim")


@dataclass(frozen=True)
class ColumnLine:
    """A column of a table.

    description: from the YAML or the vendor's document; empty if there is none.
    """

    name: str
    type: str
    key: bool
    description: str


@dataclass(frozen=True)
class Shown:
    """A table and what is shown of it.

    complete_until: the instant up to which it is proven complete; None if nothing is proven.
    days: day -> its state.
    last_rows: newest first.
    """

    table: str
    description: str
    rows: int
    columns: list[ColumnLine]
    complete_until: datetime | None
    days: dict[date, DayState]
    last_rows: list[Mapping[str, Any]]

    def as_json(self) -> dict[str, Any]:
        """As `--json` prints it."""
        days = {str(day): state for day, state in self.days.items()}
        until = self.complete_until.isoformat() if self.complete_until else None
        return {**vars(self), "columns": [vars(each) for each in self.columns], "complete_until": until, "days": days}


def collect(name: str, target: Target | None = None, now: datetime | None = None) -> Shown:
    """Collect what is shown of `vendor.table`, also written `vendor/table`.

    target: the table's configuration, if it has one.

    Raises UserError if there is no such table or view.
    """
    warehouse = opening.warehouse()
    with warehouse.reading() as connection:
        table = _table(connection, name)
        types = table_columns(connection, table)
        described = _descriptions(connection, table)
        known = coverage.known(connection, table)
        counted = connection.execute(f"SELECT count(*) FROM {table.sql}").fetchone()
    keys = target.key if target else ()
    days = by_their_day(known) if target and target.snapshots else known
    ends = [part.end for parts in known.values() for part in parts if part.complete]
    order = f"ORDER BY {LOADED_AT} DESC " if LOADED_AT in types else ""
    with result_of(f"SELECT * FROM {table.sql} {order}LIMIT {_LAST_ROWS}", warehouse) as result:
        last = list(rows_of(result))
    return Shown(
        str(table),
        described.get("", ""),
        counted[0] if counted else 0,
        [ColumnLine(each, kind, each in keys, described.get(each, "")) for each, kind in types.items()],
        max(ends, default=None),
        calendar(days, now or datetime.now(UTC)),
        last,
    )


def target_of(name: str) -> Target | None:
    """The configuration of a table, or of the table that a view belongs to; None for any other name."""
    for ending in ("", "_current", "_history"):
        with suppress(NotConfigured):
            return configured_tables.find(name.removesuffix(ending)).stream.target
    return None


def _table(connection: duckdb.DuckDBPyConnection, name: str) -> TableName:
    found = connection.execute(
        "SELECT table_schema, table_name FROM information_schema.tables WHERE table_catalog = current_database() "
        "ORDER BY ALL"
    ).fetchall()
    there = {f"{schema}.{table}": TableName(schema, table) for schema, table in found}
    wanted = name.replace("/", ".", 1)
    folded = {each.lower(): table for each, table in there.items()}
    if table := there.get(wanted) or folded.get(wanted.lower()):
        return table
    close = get_close_matches(wanted, there, n=2)
    hint = f"did you mean {' or '.join(close)}?" if close else f"there are: {', '.join(there) or 'none'}."
    raise UserError(f"the warehouse has no table {wanted}; {hint} A configured table appears when it is first pulled")


def _descriptions(connection: duckdb.DuckDBPyConnection, table: TableName) -> dict[str, str]:
    """Column -> its comment; an empty text -> the comment of the table or view."""
    where = "WHERE database_name = current_database() AND schema_name = ? AND comment IS NOT NULL AND "
    found = connection.execute(
        f"SELECT column_name, comment FROM duckdb_columns() {where} table_name = ? "
        f"UNION ALL SELECT '', comment FROM duckdb_tables() {where} table_name = ? "
        f"UNION ALL SELECT '', comment FROM duckdb_views() {where} view_name = ?",
        [table.schema, table.name] * 3,
    )
    return dict(found.fetchall())


def show(console: Console, shown: Shown) -> None:
    """Print the table, within the width of the terminal."""
    width = min(console.width, 120)
    _print(console, f"{shown.table}: {shown.rows:,} rows")
    if shown.description:
        console.print(shown.description, markup=False, highlight=False, width=width)
    console.print()
    _columns(console, shown.columns, width)
    console.print()
    until = f"{shown.complete_until:%Y-%m-%d %H:%M:%S} UTC" if shown.complete_until else "-"
    _print(console, f"complete until {until}")
    for line in months(shown.days, ascii_only=not _draws(console)):
        console.print(line, soft_wrap=True)
    if shown.last_rows:
        console.print()
        _last_rows(console, shown.last_rows, width)


def months(days: Mapping[date, DayState], *, ascii_only: bool = False) -> Iterator[Text]:
    """The calendar: one line per month with one mark per day, at most 80 columns wide; nothing without days."""
    if not days:
        return
    every = sorted({(day.year, day.month) for day in days})
    if earlier := every[:-_MONTHS]:
        first, last = earlier[0], earlier[-1]
        counts = _state_counts(state for day, state in days.items() if (day.year, day.month) in set(earlier))
        yield Text(f"{_month(first)} to {_month(last)}: {counts}")
    for year, month in every[-_MONTHS:]:
        dates = [date(year, month, day) for day in range(1, monthrange(year, month)[1] + 1)]
        line = Text(f"{_month((year, month))}  ")
        for each in dates:
            mark, plain_mark, style = _MARKS[days[each]] if each in days else _NOT_REQUESTED
            line.append(plain_mark if ascii_only else mark, style)
        line.append(" " * (33 - len(dates)) + _state_counts(days[each] for each in dates if each in days))
        yield line
    at = 1 if ascii_only else 0
    legend = [*_MARKS.items(), ("not requested", _NOT_REQUESTED)]
    yield Text("         " + "  ".join(f"{marks[at]} {state}" for state, marks in legend))


def _month(month: tuple[int, int]) -> str:
    return f"{month[0]}-{month[1]:02}"


def _state_counts(states: Iterable[DayState]) -> str:
    """The number of days per state, in words."""
    counted = Counter(states)
    return ", ".join(f"{counted[state]} {state}" for state in _MARKS if counted[state])


def _columns(console: Console, columns: Sequence[ColumnLine], width: int) -> None:
    longest = min(max((len(each.name) for each in columns), default=6), 32)
    kinds = min(max((len(each.type) for each in columns), default=4), 24)
    for each in columns:
        mark = "key" if each.key else ""
        head = f"{plain(each.name):<{longest}}  {each.type:<{kinds}}  {mark:<3}"
        _print(console, f"{head}  {_cut(plain(each.description), max(16, width - len(head) - 2))}".rstrip())


def _last_rows(console: Console, rows: Sequence[Mapping[str, Any]], width: int) -> None:
    """Print one line per column and one column per row, so that a wide table stays readable."""
    names = list(rows[0])
    longest = min(max(map(len, names)), 32)
    room = max(8, (width - longest) // len(rows) - 2)
    _print(
        console, f"{'last rows':<{longest}}  " + "  ".join(f"{number:<{room}}" for number in range(1, len(rows) + 1))
    )
    for name in names:
        cells = [_cut(plain(None if row[name] is None else str(row[name])), room) for row in rows]
        _print(console, f"{plain(name):<{longest}}  " + "  ".join(f"{cell:<{room}}" for cell in cells).rstrip())


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _draws(console: Console) -> bool:
    return (console.encoding or sys.getdefaultencoding()).lower().startswith("utf")


def _print(console: Console, text: str) -> None:
    console.print(text.rstrip(), markup=False, highlight=False, soft_wrap=True)
