"""A page as staging and the commit see it, whatever its format.

Here: `Page`. Add here: what must be known of a page of every format. Keep out: formats (csv_pages.py, json_pages.py).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any, Protocol


class Page(Protocol):
    """A file ready for the database; pages of one `layout` are read in one go, which is faster by far."""

    @property
    def path(self) -> Path: ...
    @property
    def columns(self) -> tuple[str, ...]: ...
    @property
    def records(self) -> int: ...
    @property
    def layout(self) -> Hashable: ...
    @staticmethod
    def reading(pages: Sequence[Any]) -> tuple[tuple[str, ...], str]:
        """The columns of pages of one layout, and the SQL that yields them as text, with `_orgdata_file`."""
