"""A page as staging and the commit see it, whatever its format.

Here: `Page`. Add here: what must be known of a page of every format. Keep out: formats (csv_pages.py, json_pages.py).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

from orgdata_dagster.warehouse.pages.column_names import Assigned, VendorName

JsonKind = Literal["string", "number", "boolean", "list", "object"]
Kinds = frozenset[JsonKind]


class Reading(NamedTuple):
    """How to read pages: `source` is SQL that yields `columns` as text, and `_orgdata_file`.

    `kinds`: of what kind a column's values are, for formats that tell a number from a text that looks like one.
    """

    columns: tuple[str, ...]
    source: str
    kinds: Mapping[str, Kinds]


class Page(Protocol):
    """A file ready for the database; pages of one `layout` are read in one go, which is faster by far."""

    @property
    def path(self) -> Path: ...
    @property
    def names(self) -> tuple[VendorName, ...]:
        """The vendor's names of its columns."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that these lead to."""

    def assigned_to(self, assigned: Assigned) -> Page:
        """The same page, with these columns for its names."""

    @property
    def records(self) -> int: ...
    @property
    def layout(self) -> Hashable: ...
    @staticmethod
    def reading(pages: Sequence[Any]) -> Reading:
        """How to read pages of one layout in one go."""
