"""Turning a JSON body on disk into a page that DuckDB reads without changing a value.

Here: `prepare`, which finds the records (an array, one object, or an array in an envelope), their columns and their
number; and `relation`. Add here: another shape around records.
Keep out: bytes (json_bytes.py), values (json_values.py), types (types/lossless.py).
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import duckdb

from orgdata_dagster.warehouse.errors import UnreadablePage
from orgdata_dagster.warehouse.names import KEY_TYPES, folded, literal, quoted
from orgdata_dagster.warehouse.pages import json_bundles
from orgdata_dagster.warehouse.pages.column_names import Assigned, VendorName, first_assigned
from orgdata_dagster.warehouse.pages.iso_instants import Numbers
from orgdata_dagster.warehouse.pages.json_bytes import ARRAY, OBJECT, bare, rewrite, rewritten
from orgdata_dagster.warehouse.pages.json_layout import Layout
from orgdata_dagster.warehouse.pages.json_numbers import MARK
from orgdata_dagster.warehouse.pages.json_values import (
    JsonColumn,
    Key,
    are_plain,
    inspect,
    inspect_small,
    is_small,
    kind_of,
    values,
)
from orgdata_dagster.warehouse.pages.page import FILE, Reading

__all__ = ["ARRAY", "OBJECT", "JsonColumn", "JsonPage", "Key", "prepare", "relation"]


@dataclass(frozen=True)
class JsonPage:
    """A file that contains an array of records.

    values: a column's place in a record -> what is known about its values.
    parsed: whether a parser has read every record. If not, measuring the page has to prove them well-formed.
    longest: upper bound of the size of a record, in bytes.
    key: the places of the key's columns; their JSON types are read too. None for a column that no record has.
    instants: the instants of the records, in microseconds since 1970; None if a parser has to read them.
    content: the array of records, if the page is small and has no file yet.
    """

    path: Path
    values: Mapping[Key, JsonColumn] = field(hash=False)
    records: int
    parsed: bool = field(default=True, compare=False)
    assigned: Assigned | None = field(default=None, compare=False)
    longest: int = field(default=0, compare=False)
    key: tuple[Key | None, ...] = field(default=(), compare=False)
    instants: Numbers | None = field(default=None, compare=False, repr=False)
    content: bytes | None = field(default=None, compare=False, repr=False)

    @property
    def array(self) -> bytes:
        """The array of records, for a page that is small."""
        return self.path.read_bytes() if self.content is None else self.content

    @cached_property
    def names(self) -> tuple[VendorName, ...]:
        """The vendor's names of the page's columns."""
        return tuple(map(VendorName, self.values))

    @property
    def columns(self) -> tuple[str, ...]:
        """The table's columns for these names, in the same order."""
        return self._assigned.columns

    @cached_property
    def _assigned(self) -> Assigned:
        return self.assigned or first_assigned(self.names)

    def assigned_to(self, assigned: Assigned) -> JsonPage:
        """Return the same page with these columns for its names."""
        return replace(self, assigned=assigned)

    def with_key(self, names: Sequence[str]) -> JsonPage:
        """Return the same page; its rows also have the JSON types of these columns."""
        exact = {name: (name,) for (name, *nested) in self.values if not nested}
        near = {folded(name): key for name, key in exact.items()}
        return replace(self, key=tuple(exact.get(name, near.get(folded(name))) for name in names))

    @property
    def layout(self) -> Hashable:
        """The borrowed columns: JSON pages are read in one query unless they assign a name to different columns.

        They need not have the same members, because a member that a record lacks is NULL.
        """
        return "json", self._assigned.borrowed, self.key

    @staticmethod
    def reading(pages: Sequence[JsonPage]) -> Reading:
        """How to read several pages in one query."""
        found: dict[Key, JsonColumn] = {}
        names: dict[Key, str] = {}
        for page in pages:
            names |= zip(page.values, page.columns, strict=True)
            for key, column in page.values.items():
                found[key] = found.get(key, JsonColumn()) | column
        columns = tuple(names.values())
        longest = max(page.longest for page in pages)
        kinds = {name: column.kinds for name, column in zip(columns, found.values(), strict=True)}
        places = pages[0].key
        contents = [(page.path, page.content) for page in pages if page.content is not None]
        bundle = None
        if len(contents) == len(pages) > 1 and found and are_plain(found) and not _typed(places, found):
            bundle = json_bundles.written(contents)
        else:
            for path, content in contents:
                path.write_bytes(content)
        source = relation([page.path for page in pages], found, columns, longest, places, bundle)
        return Reading(columns, source, kinds, (KEY_TYPES, FILE) if places else (FILE,), (bundle,) if bundle else ())


def prepare(
    path: Path,
    connection: duckdb.DuckDBPyConnection,
    *,
    records: str = ARRAY,
    flatten: Collection[str] = (),
    cursor: str | None = None,
    content: bytes | None = None,
) -> JsonPage:
    """Rewrite the file in place as an array of records that DuckDB reads without loss, and find all columns.

    path: the file; only the page's name if there is a `content`.
    records: ARRAY; OBJECT (the body is one record); or the dotted path of the array in an envelope.
    flatten: objects in a record whose members become columns, for example `styles` with `thumb` -> `styles_thumb`. No
        number in them may have a fraction.
    cursor: the member whose values are instants.
    content: the body, if it is in memory; then the page is, too.

    Raises UnreadablePage if the body is cut short, is not JSON, or has another shape. If all records have the same
    members, their values are not checked yet: see JsonPage.parsed.
    """
    if content is not None:
        return _in_memory(path, content, records, flatten)
    small = is_small(path)
    if small and bare(text := path.read_bytes(), records) == text:
        found = inspect_small(text, path.name, flatten)
        return JsonPage(path, found.columns, found.records)
    layout = None if flatten or small else Layout(cursor)
    counted, longest = rewrite(path, records, layout)
    if counted == 0:
        return JsonPage(path, {}, 0)
    if layout and layout.known:
        alike: dict[Key, JsonColumn] = {(name,): JsonColumn(*found) for name, found in layout.columns.items()}
        return JsonPage(path, alike, counted, parsed=False, longest=longest, instants=layout.instants)
    found = inspect(path, connection, flatten, longest)
    _check_count(path, counted, found.records)
    return JsonPage(path, found.columns, counted, longest=longest)


def _in_memory(path: Path, content: bytes, records: str, flatten: Collection[str]) -> JsonPage:
    if (text := bare(content, records)) is not None:
        found = inspect_small(text, path.name, flatten)
        if records == ARRAY or found.records == 1:
            return JsonPage(path, found.columns, found.records, content=text)
    text, (counted, longest) = rewritten(content, path.name, records)
    if counted == 0:
        return JsonPage(path, {}, 0, content=text)
    found = inspect_small(text, path.name, flatten)
    _check_count(path, counted, found.records)
    return JsonPage(path, found.columns, counted, longest=longest, content=text)


def _check_count(path: Path, counted: int, parsed: int) -> None:
    if parsed != counted:
        raise UnreadablePage(f"{path.name} holds {counted} records, but the parser read {parsed}")


def relation(
    paths: Sequence[Path],
    columns: Mapping[Key, JsonColumn],
    names: Sequence[str],
    longest: int,
    key: Sequence[Key | None] = (),
    bundle: Path | None = None,
) -> str:
    """SQL of the records of prepared files: all columns as text under these names, and `_orgdata_file`.

    null and a missing member are NULL, and "" is "". Numbers and booleans are as they were written; nested values are
    JSON.

    longest: upper bound of the size of a record, in bytes.
    key: places of the key's columns; the JSON types of their values are in `_orgdata_key_types`.
    bundle: see `values`.
    """
    found, source = values(paths, list(columns), longest, typed=_typed(key, columns), bundle=bundle)
    spared = [
        f"ltrim({value}, {literal(MARK)})" if column.marked else value
        for value, column in zip(found, columns.values(), strict=True)
    ]
    selected = "".join(f"{value} AS {quoted(name)}, " for value, name in zip(spared, names, strict=True))
    if key:
        texts = dict(zip(columns, found, strict=True))
        kinds = (kind_of(each, columns[each], texts[each]) if each else "'null'" for each in key)
        selected += f"concat_ws(', ', {', '.join(kinds)}) AS {KEY_TYPES}, "
    return f"(SELECT {selected}{FILE} FROM {source})"


def _typed(key: Sequence[Key | None], columns: Mapping[Key, JsonColumn]) -> set[Key]:
    """The columns of the key whose values have several JSON types."""
    return {each for each in key if each is not None and len(columns[each].kinds) > 1}
