"""Which column a vendor's name leads to: once found, it stays so, whatever else a page has and in whatever order.

Here: `VendorName` and `ColumnNames`, the memory of one table; the warehouse keeps it (ledger/columns.py).
Add here: another rule for a name that no column can have. Keep out: quoting and comparing names (names.py).

A vendor's own name is kept where it can be. An empty one becomes `column_<position>`; a second `name`, or `Name` beside
`name`, becomes `name_2` or `Name_2`, for the database's names ignore case. Names that begin with `_orgdata_` are ours:
the vendor's gets a leading `x`. Names that end in `__v_text` are ours too, and `rowid` is the database's: the vendor's
gets a trailing `_`. A name that differs from a known one in case alone leads to that one's column, unless both are on
a page.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from orgdata_dagster.warehouse.names import OWN_PREFIX, VARIANT, folded

_ROW_ID = "rowid"  # the database's own name for a row's place


class VendorName(NamedTuple):
    """A name in a header or a record. `path`: the name, or that of a flattened object and one in it. `occurrence`: from
    1, where a header has it more than once; of an empty name the position in the header."""

    path: tuple[str, ...]
    occurrence: int = 1

    @property
    def folded(self) -> VendorName:
        """Names that differ in case alone are the same folded."""
        return VendorName(tuple(map(folded, self.path)), self.occurrence)


class Assigned(NamedTuple):
    """The columns of a page's names. `borrowed`: names that lead to the column of another one, not on the page."""

    columns: tuple[str, ...]
    borrowed: frozenset[tuple[VendorName, str]] = frozenset()


def of_header(header: Sequence[str]) -> tuple[VendorName, ...]:
    """The names in a header line; blanks around them are nothing."""
    seen: dict[str, int] = {}
    names = []
    for position, raw in enumerate(header, start=1):
        name = raw.strip()
        seen[name] = seen.get(name, 0) + 1
        names.append(VendorName((name,), seen[name] if name else position))
    return tuple(names)


class ColumnNames:
    """The memory of one table; threads may share it.

    `known`: name -> column, as the warehouse has it. `columns`: those of the table, whether a name is known for them or
    not.
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
        """The columns of a page's names, one for each; new ones are remembered."""
        with self._lock:
            found = self._assigned.get(names) or self._assign(names)
            if not found.borrowed:  # what is borrowed may be given back
                self._assigned[names] = found
            return found

    def find(self, configured: str, columns: Iterable[str]) -> str | None:
        """Which of the columns a person means: of that very name, the vendor's of that name, or in another case."""
        there = list(columns)
        if configured in there:
            return configured
        if (own := self._columns.get(VendorName((configured,)))) is not None:
            return own if own in there else None
        return next((column for column in there if folded(column) == folded(configured)), None)

    def of(self, names: Iterable[VendorName]) -> dict[VendorName, str]:
        """Name -> column, of those that have one of their own."""
        return {name: self._columns[name] for name in names if name in self._columns}

    def learn(self, other: ColumnNames) -> None:
        """Take over what another memory of the same table knows, as far as it contradicts nothing."""
        with self._lock, other._lock:
            for name, column in other._columns.items():
                free = folded(column) not in self._table or folded(_base(name, 0)) == folded(column)
                if name not in self._columns and folded(column) not in self._owner and free:
                    self._own(name, column)

    def become(self, other: ColumnNames) -> None:
        """Forget what was known for what another memory of the same table knows."""
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
        """A column for a name without one: the table's own of that name, if nobody else has it."""
        if folded(base) not in self._owner:
            return self._table.get(folded(base), base)
        count = 2
        while folded(name := f"{base}_{count}") in self._owner or folded(name) in wanted or folded(name) in self._table:
            count += 1
        return name


@lru_cache(maxsize=64)
def first_assigned(names: tuple[VendorName, ...]) -> Assigned:
    """The columns of a page's names in a table of which nothing is known; alike pages come by the thousand."""
    return ColumnNames().assign(names)


def _base(name: VendorName, position: int) -> str:
    """The column that a name would like."""
    base = "_".join(name.path).strip() or f"column_{position}"
    if folded(base).startswith(OWN_PREFIX):
        base = f"x{base}"
    return f"{base}_" if folded(base) == _ROW_ID or folded(base).endswith(VARIANT) else base
