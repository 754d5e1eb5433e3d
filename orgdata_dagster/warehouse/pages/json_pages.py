"""A JSON body on disk becomes a page that DuckDB reads without changing a value.

Here: `prepare`, which finds the records (an array, one object, or an array in an envelope), their columns and their
number; and `relation`. Add here: another shape around records.
Keep out: bytes (json_bytes.py), values (json_values.py), types (lossless.py).
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb

from orgdata_dagster.warehouse.errors import UnreadablePage
from orgdata_dagster.warehouse.names import literal, quoted
from orgdata_dagster.warehouse.pages.column_names import Assigned, VendorName, first_assigned
from orgdata_dagster.warehouse.pages.json_bytes import ARRAY, OBJECT, is_bare, rewrite
from orgdata_dagster.warehouse.pages.json_layout import Layout
from orgdata_dagster.warehouse.pages.json_numbers import MARK
from orgdata_dagster.warehouse.pages.json_values import Column, Key, is_small, look, values
from orgdata_dagster.warehouse.pages.page import Reading

__all__ = ["ARRAY", "OBJECT", "Column", "JsonPage", "Key", "prepare", "relation"]


@dataclass(frozen=True)
class JsonPage:
    """A file that holds an array of records. `envelope`: what was around it, the records left out (None if nothing).

    `parsed`: whether a parser has seen every record already; if not, `stage.measure` has to prove them well-formed.
    `longest`: bytes that no record exceeds."""

    path: Path
    values: Mapping[Key, Column] = field(hash=False)
    records: int
    envelope: Any = field(default=None, compare=False)
    parsed: bool = field(default=True, compare=False)
    assigned: Assigned | None = field(default=None, compare=False)
    longest: int = field(default=0, compare=False)

    @cached_property
    def names(self) -> tuple[VendorName, ...]:
        """The vendor's names of its columns."""
        return tuple(map(VendorName, self.values))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that these lead to."""
        return self._assigned.columns

    @cached_property
    def _assigned(self) -> Assigned:
        return self.assigned or first_assigned(self.names)

    def assigned_to(self, assigned: Assigned) -> JsonPage:
        """The same page, with these columns for its names."""
        return replace(self, assigned=assigned)

    @property
    def layout(self) -> Hashable:
        """JSON pages can be read in one go, since what a record lacks is NULL, unless they differ in whose column a
        name leads to."""
        return "json", self._assigned.borrowed

    @staticmethod
    def reading(pages: Sequence[JsonPage]) -> Reading:
        """How to read several pages together."""
        found: dict[Key, Column] = {}
        names: dict[Key, str] = {}
        for page in pages:
            names |= zip(page.values, page.columns, strict=True)
            for key, column in page.values.items():
                found[key] = found.get(key, Column()) | column
        columns = tuple(names.values())
        longest = max(page.longest for page in pages)
        kinds = {name: column.kinds for name, column in zip(columns, found.values(), strict=True)}
        return Reading(columns, relation([page.path for page in pages], found, columns, longest), kinds)


def prepare(
    path: Path,
    connection: duckdb.DuckDBPyConnection,
    *,
    records: str = ARRAY,
    flatten: Collection[str] = (),
) -> JsonPage:
    """Make the file an array of records that survives the database's parser (in place), and find all of its columns.

    `records`: ARRAY, OBJECT (the body is the one record), or the name under which an envelope has the array.
    `flatten`: objects in a record whose members become columns, as `styles` with `thumb` -> `styles_thumb`; no number
    in them may have a fraction.
    Raises UnreadablePage where the body is cut short, is not JSON, or has another shape. Of records that all have the
    same members it does not say yet whether their values are well-formed: see JsonPage.
    """
    small = is_small(path)
    if small and is_bare(path, records):
        found = look(path, connection, flatten)
        return JsonPage(path, found.columns, found.records)
    layout = None if flatten or small else Layout()
    counted, envelope, longest = rewrite(path, records, layout)
    if counted == 0:
        return JsonPage(path, {}, 0, envelope)
    if layout and layout.known:
        alike: dict[Key, Column] = {(name,): Column(*found) for name, found in layout.columns.items()}
        return JsonPage(path, alike, counted, envelope, parsed=False, longest=longest)
    found = look(path, connection, flatten, longest)
    if found.records != counted:
        raise UnreadablePage(f"{path.name} holds {counted} records, but the parser read {found.records}")
    return JsonPage(path, found.columns, counted, envelope, longest=longest)


def relation(paths: Sequence[Path], columns: Mapping[Key, Column], names: Sequence[str], longest: int) -> str:
    """SQL that yields the records of prepared files, all columns as text under these names, and `_orgdata_file`.

    `longest`: bytes that no record exceeds.
    null and a missing key are NULL, "" is ""; numbers, true and false are as they were written, nested values JSON.
    """
    found, source = values(paths, list(columns), longest)
    spared = [
        f"ltrim({value}, {literal(MARK)})" if column.marked else value
        for value, column in zip(found, columns.values(), strict=True)
    ]
    selected = "".join(f"{value} AS {quoted(name)}, " for value, name in zip(spared, names, strict=True))
    return f"(SELECT {selected}_orgdata_file FROM {source})"
