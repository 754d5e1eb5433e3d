"""The interface of a page: what staging and the commit know about it, independent of its format.

Here: `Page`. Add here: a property that pages of every format need. Keep out: formats (csv_pages.py, json_pages.py).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

from orgdata_dagster.warehouse.pages.column_names import Assigned, VendorName

LARGE = 20_000
"""Records: rows of such a page are converted as soon as it is staged (commit/ready_rows.py), which also proves it."""

JsonKind = Literal["string", "number", "boolean", "list", "object"]
Kinds = frozenset[JsonKind]
FILE = "_orgdata_file"


class Reading(NamedTuple):
    """How to read pages.

    source: SQL of a relation with `columns` as text, and with `own`.
    kinds: column -> the JSON kinds of its values; empty for formats without kinds, such as CSV.
    own: our own columns: the page's path, and for formats with kinds the types of the key.
    files: files that were written for this reading only. The caller deletes them when it no longer uses `source`.
    """

    columns: tuple[str, ...]
    source: str
    kinds: Mapping[str, Kinds]
    own: tuple[str, ...] = (FILE,)
    files: tuple[Path, ...] = ()


class Page(Protocol):
    """A file that the database can read. Pages with the same `layout` are read in one query, which is much faster."""

    @property
    def path(self) -> Path: ...
    @property
    def names(self) -> tuple[VendorName, ...]:
        """The vendor's names of the page's columns."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The table's columns for these names, in the same order."""

    def assigned_to(self, assigned: Assigned) -> Page:
        """Return the same page with these columns for its names."""

    @property
    def records(self) -> int: ...
    @property
    def layout(self) -> Hashable: ...
    @staticmethod
    def reading(pages: Sequence[Any]) -> Reading:
        """How to read pages with the same layout in one query."""
