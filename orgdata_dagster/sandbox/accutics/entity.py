"""An entity as accutics stores it: nested rows that change, and are searched, sorted and cut into pages.

Here: changing rows, listing them, and the true rows to compare with.
Add here when: a test needs to change rows in another way.
Keep out: HTTP and the envelope (`api`, `paging`), the search language (`search`).
"""

import copy
import itertools
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from orgdata_dagster.sandbox import instants
from orgdata_dagster.sandbox.accutics import search
from orgdata_dagster.sandbox.accutics.problems import Problem
from orgdata_dagster.sandbox.accutics.search import Dimension

Row = dict[str, Any]


@dataclass
class _Stored:
    serial: int  # never changes; cursors are made of it
    row: Row


class Entity:
    """Rows with a key, listed by `page` or by `cursor`. Thread-safe.

    sortable: the dimensions that `sort` accepts.
    default_sort: the order of lists without `sort`. A row whose value changes moves, and shifts the pages after it.
    updated_at: whether rows have this column.

    Lists by cursor are in the order of creation.
    """

    def __init__(
        self,
        name: str,
        paging: Literal["page", "cursor"],
        dimensions: Mapping[str, Dimension],
        rows: Iterable[Mapping[str, Any]] = (),
        *,
        key: str = "id",
        page_size: int = 50,
        max_page_size: int = 100,
        sortable: Sequence[str] = (),
        default_sort: str = "",
        updated_at: bool = True,
        now: Callable[[], datetime] = instants.utc_now,
    ) -> None:
        self.name = name
        self.paging = paging
        self.dimensions = dict(dimensions)
        self.key = key
        self.page_size = page_size
        self.max_page_size = max_page_size
        self.sortable = list(sortable)
        self.default_sort = default_sort
        self.updated_at = updated_at
        self.now = now
        self._stored: dict[Any, _Stored] = {}
        self._serials = itertools.count(1)
        self._lock = threading.RLock()
        for row in rows:
            self.insert(row)

    def __len__(self) -> int:
        return len(self._stored)

    def insert(self, row: Mapping[str, Any]) -> None:
        """Add a row; its `updated_at` is now, unless it has one. Raises ValueError if the key exists already."""
        with self._lock:
            if row[self.key] in self._stored:
                raise ValueError(f"{self.name} has a row {self.key}={row[self.key]!r} already")
            self._stored[row[self.key]] = _Stored(next(self._serials), self._stamped({}, row))

    def update(self, key: Any, values: Mapping[str, Any] | None = None) -> None:
        """Change top-level values of a row; its `updated_at` becomes now, unless it is among them.

        Raises KeyError if there is no such row.
        """
        with self._lock:
            stored = self._stored[key]
            stored.row = self._stamped({**stored.row, "updated_at": None}, values or {})

    def delete(self, key: Any) -> None:
        """Remove a row. Raises KeyError if there is none."""
        with self._lock:
            del self._stored[key]

    def truth(self) -> list[Row]:
        """All current rows, in the order of creation."""
        with self._lock:
            return [copy.deepcopy(stored.row) for stored in self._stored.values()]

    def matching(self, searched: str, sort: str) -> list[Row]:
        """The sorted rows of a search. Raises Problem `invalid_search` or `invalid_sort`."""
        conditions, order = search.parse(searched, self.dimensions), self._order(sort)
        with self._lock:
            rows = [s.row for s in self._stored.values() if all(c.holds(s.row) for c in conditions)]
        for dimension, descending in reversed(order):  # sorting is stable, so the last dimension is applied first
            rows.sort(key=lambda row: _sort_key(dimension.values(row)), reverse=descending)
        return rows

    def after(self, cursor: int, searched: str, limit: int) -> tuple[list[Row], int | None]:
        """At most `limit` rows of a search after a cursor, and the cursor of the next page, if there is one."""
        conditions = search.parse(searched, self.dimensions)
        with self._lock:
            behind = (s for s in self._stored.values() if s.serial > cursor and all(c.holds(s.row) for c in conditions))
            found = list(itertools.islice(behind, limit + 1))
        return [s.row for s in found[:limit]], found[limit - 1].serial if len(found) > limit else None

    def _order(self, sort: str) -> list[tuple[Dimension, bool]]:
        order = []
        for part in (sort or self.default_sort).split(",") if sort or self.default_sort else ():
            name = part.removeprefix("-")
            if name not in (self.sortable if sort else self.dimensions):
                known = ", ".join(self.sortable) or "none"
                raise Problem(400, "invalid_sort", f"Cannot sort by {name!r}; sortable: {known}", {"sort": sort})
            order.append((self.dimensions[name], part.startswith("-")))
        return order

    def _stamped(self, old: Row, changes: Mapping[str, Any]) -> Row:
        row = {**old, **copy.deepcopy(dict(changes))}
        if not self.updated_at:
            row.pop("updated_at", None)
        elif not row.get("updated_at"):
            row["updated_at"] = instants.to_text(instants.from_datetime(self.now()), 3)
        return row


def _sort_key(values: list[Any]) -> tuple[bool, Any]:
    """Rows without a value come first."""
    return (True, min(values)) if values else (False, 0)
