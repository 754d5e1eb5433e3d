"""A table as Markdown that is also legible in a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def text(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """The table. Columns of figures are aligned to the right, all others to the left."""
    cells = [list(head), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[number]) for row in cells) for number in range(len(head))]
    right = [all(_figure(row[number]) for row in cells[1:]) for number in range(len(head))]
    lines = [
        "| " + " | ".join(c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, right, strict=True)) + " |"
        for row in cells
    ]
    rule = "|" + "|".join("-" * (w + 1) + (":" if r else "-") for w, r in zip(widths, right, strict=True)) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def _figure(cell: str) -> bool:
    return not cell.strip("0123456789.,-")
