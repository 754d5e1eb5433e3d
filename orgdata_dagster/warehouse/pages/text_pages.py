"""A wide page, parsed once into a table of text in memory.

Here: `parsed`, and the page that such a table is. Keep out: formats (csv_pages.py, json_pages.py) and types.

The types of a wide page are found some columns at a time (types/column_types.py). Out of its file that would be a parse
of everything for every hundred columns; out of a table only these columns are read. What exceeds the memory limit is
spilled, as of every table in memory.
"""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from orgdata_dagster.warehouse.names import quoted
from orgdata_dagster.warehouse.pages.column_names import Assigned, VendorName
from orgdata_dagster.warehouse.pages.page import Page, Reading
from orgdata_dagster.warehouse.storage.memory import with_room

_numbers = itertools.count()


@dataclass(frozen=True)
class TextPage:
    """The page whose rows are in `table` (SQL), whose columns have had the names `called` and the page's order."""

    page: Page
    table: str
    called: tuple[str, ...]

    @property
    def path(self) -> Path:
        """The page's file."""
        return self.page.path

    @property
    def names(self) -> tuple[VendorName, ...]:
        """The vendor's names of its columns."""
        return self.page.names

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that these lead to."""
        return self.page.columns

    def assigned_to(self, assigned: Assigned) -> TextPage:
        """The same page, with these columns for its names."""
        return replace(self, page=self.page.assigned_to(assigned))

    @property
    def records(self) -> int:
        """How many rows it has."""
        return self.page.records

    @property
    def layout(self) -> Hashable:
        """Wide pages are read one by one."""
        return self.table

    @staticmethod
    def reading(pages: Sequence[TextPage]) -> Reading:
        """How to read the only page of this layout."""
        (page,) = pages
        source, kinds = page.table, page.page.reading([page.page]).kinds
        if page.columns != page.called:  # only then: a star of many columns takes time
            names = ", ".join(map(quoted, (*page.columns, "_orgdata_file")))
            source = f"(SELECT * FROM {page.table} AS page({names}))"
        return Reading(page.columns, source, kinds)

    def discard(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Free the memory."""
        with suppress(duckdb.Error):
            connection.execute(f"DROP TABLE IF EXISTS {self.table}")


def parsed(connection: duckdb.DuckDBPyConnection, page: Page) -> TextPage:
    """Parse a page into a table in the memory of this connection's instance."""
    made = TextPage(page, f"memory.main.page_{next(_numbers)}", page.columns)
    source = page.reading([page]).source
    create = f"CREATE OR REPLACE TABLE {made.table} AS {_ordered(made, source)}"
    with_room(connection, lambda: connection.execute(create))
    return made


def _ordered(page: TextPage, source: str) -> str:
    return f"SELECT {', '.join(map(quoted, (*page.called, '_orgdata_file')))} FROM {source}"
