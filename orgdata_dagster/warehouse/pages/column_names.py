"""The mapping from a vendor's names to the columns of a table. A name keeps its column, whatever else a page contains.

Here: `VendorName`, and `ColumnNames`, the mapping of one table; the warehouse stores it (ledger/columns.py).
Add here: another rule for a name that cannot be a column's name. Keep out: quoting and comparing names
(warehouse/names.py).

Columns have the vendor's names wherever possible. The exceptions:

- An empty name becomes `column_<position>`.
- A second `name`, or `Name` beside `name`, becomes `name_2` or `Name_2`, because the database's names ignore case.
- A vendor's name that begins with `_orgdata_` gets a leading `x`, because this prefix is ours.
- A vendor's name that ends in `__v_text` (our suffix), or is `rowid` (DuckDB's own), gets a trailing `_`.
- A name that differs from a known name only in case uses that name's column, unless a page has both.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from orgdata_dagster.warehouse.names import OWN_PREFIX, VARIANT, folded

_ROW_ID = "rowid"  # DuckDB's pseudo-column


class VendorName(NamedTuple):
    """A name in a header or a record.

    path: the name; for a member of a flattened object, the object's name and the member's name.
    occurrence: counts from 1 the names in a header that are equal; for an empty name, its position in the header.
    """

    path: tuple[str, ...]
    occurrence: int = 1

    @property
    def folded(self) -> VendorName:
        """The name without case: names that differ only in case are equal when folded."""
        return VendorName(tuple(map(folded, self.path)), self.occurrence)


class Assigned(NamedTuple):
    """The columns of a page's names, in the same order.

    borrowed: names with the column of a name that differs only in case and is not on the page.
    """

    columns: tuple[str, ...]
    borrowed: frozenset[tuple[VendorName, str]] = frozenset()


def of_header(header: Sequence[str]) -> tuple[VendorName, ...]:
    """The names in a header line, without surrounding blanks."""
    seen: dict[str, int] = {}
    names = []
    for position, raw in enumerate(header, start=1):
        name = raw.strip()
        seen[name] = seen.get(name, 0) + 1
        names.append(VendorName((name,), seen[name] if name else position))
    return tuple(names)


class ColumnNames:
    """The mapping from names to columns of one table. Threads may share it.

    known: name -> column, as the warehouse has stored it.
    columns: all columns of the table, also those without a known name.
    """

    def __init__(self, known: Mapping[VendorName, str] | None = None, columns: Iterable[str] = ()) -> None:
        self._columns: dict[VendorName, str] = {}
        self._alike: dict[VendorName, list[VendorName]] = {}
        self._owner: dict[str, VendorName] = {}
        self._table = {folded(column): column for column in columns}
        self._assigned: dict[tuple[VendorName, ...], Assigned] = {}
        self._lock = threading.Lock()
        for name, column in (known or {}).items():
            self._own(name, column)

    def assign(self, names: tuple[VendorName, ...]) -> Assigned:
        """The columns of a page's names, one per name. New names get columns, which they keep."""
        with self._lock:
            found = self._assigned.get(names) or self._assign(names)
            if not found.borrowed:  # a page with both names would change a borrowed column
                self._assigned[names] = found
            return found

    def find(self, configured: str, columns: Iterable[str]) -> str | None:
        """The one of these columns that a configured name means; None if there is none.

        Tries the column with this name, then the column of the vendor's name, then another case.
        """
        there = list(columns)
        if configured in there:
            return configured
        if (own := self._columns.get(VendorName((configured,)))) is not None:
            return own if own in there else None
        return next((column for column in there if folded(column) == folded(configured)), None)

    def of(self, names: Iterable[VendorName]) -> dict[VendorName, str]:
        """Name -> column, for the names that have a column of their own."""
        return {name: self._columns[name] for name in names if name in self._columns}

    def learn(self, other: ColumnNames) -> None:
        """Add the names of another mapping of the same table, unless they contradict this one."""
        with self._lock, other._lock:
            for name, column in other._columns.items():
                free = folded(column) not in self._table or folded(_base(name, 0)) == folded(column)
                if name not in self._columns and folded(column) not in self._owner and free:
                    self._own(name, column)

    def become(self, other: ColumnNames) -> None:
        """Replace everything by another mapping of the same table."""
        with self._lock, other._lock:
            self._columns, self._alike, self._owner = dict(other._columns), dict(other._alike), dict(other._owner)
            self._table, self._assigned = dict(other._table), {}

    def _own(self, name: VendorName, column: str) -> None:
        self._columns[name] = column
        self._owner[folded(column)] = name
        self._alike.setdefault(name.folded, []).append(name)

    def _assign(self, names: tuple[VendorName, ...]) -> Assigned:
        found = self.of(names)
        used = {folded(column) for column in found.values()}
        borrowed = set()
        for name in names:
            alike = self._alike.get(name.folded, []) if name not in found else []
            if len(alike) == 1 and folded(column := self._columns[alike[0]]) not in used:
                found[name] = column
                used.add(folded(column))
                borrowed.add((name, column))
        wanted = {folded(_base(name, position)) for position, name in enumerate(names, start=1)}
        for position, name in enumerate(names, start=1):
            if name not in found:
                found[name] = self._new(_base(name, position), wanted)
                self._own(name, found[name])
        return Assigned(tuple(found[name] for name in names), frozenset(borrowed))

    def _new(self, base: str, wanted: set[str]) -> str:
        """A column for a new name: the table's column of this name if no other name has it, else a new one."""
        if folded(base) not in self._owner:
            return self._table.get(folded(base), base)
        count = 2
        while folded(name := f"{base}_{count}") in self._owner or folded(name) in wanted or folded(name) in self._table:
            count += 1
        return name


@lru_cache(maxsize=64)
def first_assigned(names: tuple[VendorName, ...]) -> Assigned:
    """The columns of a page's names in a new table. Cached, because thousands of pages have the same names."""
    return ColumnNames().assign(names)


def _base(name: VendorName, position: int) -> str:
    """The column for a name if no other name has it."""
    base = "_".join(name.path).strip() or f"column_{position}"
    if folded(base).startswith(OWN_PREFIX):
        base = f"x{base}"
    return f"{base}_" if folded(base) == _ROW_ID or folded(base).endswith(VARIANT) else base
