"""The layout of text on the command line.

Here: wrapped lines (`hanging`), tables of figures, durations.
Add here when: several commands print something in the same way. Keep out: what a command prints (its module).
"""

from __future__ import annotations

import textwrap

from rich.console import Console
from rich.table import Table

WIDE = 100  # columns that a table needs for full names


def hanging(console: Console, lead: str, text: str, *, indent: int | None = None, style: str = "") -> None:
    """Print `lead` and `text`. On a terminal, wrap the text between words and align the further lines with its begin.

    In files and pipes the text stays one line, so that programs can search for it.

    indent: indentation of the further lines; None: the length of `lead`.
    """
    line = lead + text
    if console.is_terminal:
        below = " " * min(len(lead) if indent is None else indent, console.width // 3)
        line = "\n".join(textwrap.wrap(line, console.width, subsequent_indent=below, break_on_hyphens=False))
    console.print(line, style=style, highlight=False, markup=False, soft_wrap=True)


def skipped(console: Console, vendor: str, unset: str) -> None:
    """Print that a vendor has no credentials. `unset`: the variables to set, in words."""
    hanging(console, f"{vendor} is ", f"{unset} (its tables are skipped)", indent=2)


def figures(name: str, *columns: str) -> Table:
    """An empty table: a column of names, then columns of figures. A narrow console cuts off names, never figures."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0), collapse_padding=True)
    table.add_column(name, no_wrap=True, overflow="ellipsis")
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True, min_width=len(column))
    return table


def clock(seconds: float) -> str:
    """A running time: `4:05`, `1:00:04`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def duration(seconds: float) -> str:
    """A duration in words: `5 s`, `2 min 4 s`, `3 h 10 min`, `2 d 1 h`."""
    whole = max(1, round(seconds))
    units = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
    first = next(index for index, (_, size) in enumerate(units) if whole >= size)
    parts = []
    for unit, size in units[first : first + 2]:
        count, whole = divmod(whole, size)
        parts += [f"{count:,} {unit}"] if count else []
    return " ".join(parts)
