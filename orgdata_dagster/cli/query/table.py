"""A result in a terminal: a table, or one block per row if the table is too wide.

Here: the layout, and values as text. Keep out: formats for other programs (formats.py).

NULL is shown as `NULL`, and the text "NULL" in quotes. Control characters are escaped, so that a vendor's text cannot
move the cursor of the terminal.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.console import Console

from orgdata_dagster.cli.query import Result
from orgdata_dagster.counting import counted
from orgdata_dagster.warehouse.names import quoted

MOST = 500  # rows that are shown
_GAP = "  "
_NUMBERS = re.compile(r"U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|DOUBLE|FLOAT|DECIMAL\(.*\)")
_ESCAPED = {ord("\n"): "\\n", ord("\r"): "\\r", ord("\t"): "\\t"} | {
    code: f"\\x{code:02x}" for code in (*range(9), 11, 12, *range(14, 32), 127, *range(128, 160))
}
# characters that reverse the direction of the text after them
_ESCAPED |= {code: f"\\u{code:04x}" for code in (0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))}


def show(console: Console, result: Result) -> None:
    """Print the first rows, and the number of rows."""
    columns = ", ".join(f"CAST({quoted(name)} AS VARCHAR)" for name in result.columns)
    found = result.connection.execute(f"SELECT {columns} FROM {result.table} LIMIT {MOST}").fetchall()
    names = [plain(name) for name in result.columns]
    rows = [[plain(value) for value in row] for row in found]
    numbers = [_NUMBERS.fullmatch(kind) is not None for kind in result.columns.values()]
    width = console.width if console.is_terminal else sys.maxsize  # in a pipe every row stays on one line
    for line in lines(names, rows, numbers, width):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    more = result.rows - len(rows)
    summary = counted(result.rows, "row")
    if more:
        summary = f"{summary}, of which {len(rows)} are shown: --csv, --json and --parquet FILE have all of them"
    console.print(f"({summary})", markup=False, highlight=False, soft_wrap=True)


def plain(value: str | None) -> str:
    """A value as one line of text without control characters."""
    if value is None:
        return "NULL"
    return '"NULL"' if value == "NULL" else value.translate(_ESCAPED)


def lines(names: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[bool], width: int) -> Iterator[str]:
    """The lines of a table; if it is wider than `width`, one block per row.

    numbers: per column, whether it is right-aligned.
    """
    cells = [names, *rows]
    widths = [max(cell_len(row[at]) for row in cells) for at in range(len(names))]
    if rows and sum(widths) + len(_GAP) * (len(widths) - 1) > width:
        yield from _blocks(names, rows, width)
        return
    for number, row in enumerate(cells):
        yield _GAP.join(map(_padded, row, widths, numbers)).rstrip()
        if number == 0:
            yield _GAP.join("-" * each for each in widths)


def _blocks(names: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> Iterator[str]:
    longest = max(map(cell_len, names))
    for number, row in enumerate(rows, 1):
        yield f"row {number} ".ljust(min(width, 80), "-")
        for name, value in zip(names, row, strict=True):
            yield f"{_padded(name, longest, False)}{_GAP}{value}"


def _padded(text: str, width: int, right: bool) -> str:
    space = " " * (width - cell_len(text))
    return space + text if right else text + space
