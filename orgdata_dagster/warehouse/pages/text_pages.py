"""Wide pages, parsed once into a table of text in memory.

Here: `parsed`, and `TextPage`, the page whose rows are in such a table. Keep out: formats (csv_pages.py, json_pages.py)
and types.

The types of a wide page are inferred for some columns at a time (types/column_types.py). Reading from the file would
parse the whole file for every hundred columns; reading from a table reads only these columns. DuckDB spills the table
to disk beyond the memory limit.
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
    """A page whose rows are in a table.

    table: SQL of its name.
    called: the table's columns, in the order of the page's columns.
    """

    page: Page
    table: str
    called: tuple[str, ...]

    @property
    def path(self) -> Path:
        """The page's file."""
        return self.page.path

    @property
    def names(self) -> tuple[VendorName, ...]:
        """The vendor's names of the page's columns."""
        return self.page.names

    @property
    def columns(self) -> tuple[str, ...]:
        """The table's columns for these names, in the same order."""
        return self.page.columns

    def assigned_to(self, assigned: Assigned) -> TextPage:
        """Return the same page with these columns for its names."""
        return replace(self, page=self.page.assigned_to(assigned))

    @property
    def records(self) -> int:
        """Number of rows."""
        return self.page.records

    @property
    def layout(self) -> Hashable:
        """The table: every wide page is read on its own."""
        return self.table

    @staticmethod
    def reading(pages: Sequence[TextPage]) -> Reading:
        """How to read the only page of this layout."""
        (page,) = pages
        source, inner = page.table, page.page.reading([page.page])
        if page.columns != page.called:  # selecting many columns by name takes time
            names = ", ".join(map(quoted, (*page.columns, *inner.own)))
            source = f"(SELECT * FROM {page.table} AS page({names}))"
        return Reading(page.columns, source, inner.kinds, inner.own)

    def discard(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Free the memory."""
        with suppress(duckdb.Error):
            connection.execute(f"DROP TABLE IF EXISTS {self.table}")


def parsed(connection: duckdb.DuckDBPyConnection, page: Page) -> TextPage:
    """Parse a page into a table in the memory of this connection's instance."""
    made = TextPage(page, f"memory.main.page_{next(_numbers)}", page.columns)
    reading = page.reading([page])
    names = ", ".join(map(quoted, (*made.called, *reading.own)))
    create = f"CREATE OR REPLACE TABLE {made.table} AS SELECT {names} FROM {reading.source}"
    with_room(connection, lambda: connection.execute(create))
    return made
