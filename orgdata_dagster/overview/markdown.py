"""The overview as metadata of the asset `orgdata/overview`.

Here: `metadata_of`. Keep out: the content of the tables (wording.py), the asset (asset.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import dagster as dg

from orgdata_dagster.orchestration.pictures.svg import markdown_of
from orgdata_dagster.overview import wording
from orgdata_dagster.overview.state import Overview

# The UI shows Markdown of less than 1,000 characters at once, and more only after a click; about 40 columns are seen.
_VENDOR = ("vendor", "rows", "behind", "gaps")
_USE = ("vendor", "requests today", "of the daily limit", "waited today")
_TABLE = ("table", "rows", "behind", "gaps")
_NUMBERS = {"rows", "tables", "gaps", "days", "requests today", "of the daily limit", "failed requests"}


def metadata_of(seen: Overview) -> dict[str, dg.MetadataValue]:
    """The entries, in the order in which they are shown."""
    shown: dict[str, dg.MetadataValue] = {
        "summary": dg.MetadataValue.text(wording.headline(seen)),
        "as of": dg.MetadataValue.timestamp(seen.now),
    }
    if seen.failures:
        shown["failing"] = dg.MetadataValue.md("\n".join(map(_failing, wording.failures(seen))))
    rows = list(wording.vendors(seen))
    shown["vendors"] = dg.MetadataValue.md(_table(wording.VENDORS, rows, of=_VENDOR))
    if used := [row for row, each in zip(rows, seen.vendors, strict=True) if each.today.requests]:
        shown["rate limits"] = dg.MetadataValue.md(_table(wording.VENDORS, used, of=_USE))
    for vendor in seen.vendors:
        rows = [row for row in wording.tables(seen) if row[0].partition(".")[0] == vendor.name]
        short = [(row[0].partition(".")[2], *row[1:]) for row in rows]
        shown[f"tables of {vendor.name}"] = dg.MetadataValue.md(_table(wording.TABLES, short, of=_TABLE))
    if gaps := [f"- {_cell(table)} {_cell(text)}" for table, text in wording.gaps(seen)]:
        shown["gaps"] = dg.MetadataValue.md("\n".join(gaps))
    if plot := wording.plot(seen):
        shown["activity"] = dg.MetadataValue.md(markdown_of(plot, "requests and waits per day"))
    return shown


def _failing(row: Sequence[str]) -> str:
    """A failure as an item of a list: a table of these columns would be too narrow to read."""
    name, since, why, remedy = map(_cell, row)
    what_to_do = f"`{remedy}`" if remedy.startswith("orgdata ") else remedy
    return f"- **{name}**{f', since {since}' if since != '-' else ''}: {why.rstrip('.')}. {what_to_do}"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]], of: Sequence[str] = ()) -> str:
    """A Markdown table. `of`: names of the columns to show; empty for all."""
    at = [columns.index(name) for name in of or columns]
    under = "|" + "|".join("-:" if columns[each] in _NUMBERS else "-" for each in at) + "|"
    return "\n".join([_row([columns[each] for each in at]), under, *(_row([row[each] for each in at]) for row in rows)])


def _row(cells: Sequence[str]) -> str:
    return f"|{'|'.join(map(_cell, cells))}|"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
