"""A data set as the vendor holds it: rows that change, kept in the order of their `updated_date`.

Here: changing rows, cutting pages out of them, and the truth to compare with.
Add here when: the vendor's data must change in a way tests cannot yet make it.
Keep out: HTTP, defaults and limits (`api`); made-up data (`demo_data`).
"""

import random
import threading
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import compress, count, islice
from operator import eq
from typing import NamedTuple

from orgdata_dagster.sandbox import csv_text, instants
from orgdata_dagster.sandbox.vendor import Row

CURSOR = "updated_date"


class Page(NamedTuple):
    """CSV lines without the header, and how many rows they are."""

    body: bytes
    rows: int


@dataclass(slots=True)
class _Stored:
    values: Row
    instant: int
    line: bytes  # rendered once, served often


class DataSet:
    """Rows with a key, newest first when read. Thread-safe.

    `columns` must hold the key and `updated_date`; `line_end` is LF or CRLF. `printed` spells the `updated_date` that
    answers (and the truth) show, where that is not what is stored: see `coarse` and `local`. With `exclusive_before` a
    row at the exact `updated_before` is not in the answer, although the document says that it is.
    """

    def __init__(
        self,
        name: str,
        columns: Iterable[str],
        rows: Iterable[Mapping[str, str | None]] = (),
        *,
        key: str = "id",
        line_end: str = "\n",
        printed: Callable[[str], str] | None = None,
        exclusive_before: bool = False,
    ) -> None:
        self.name = name
        self.exclusive_before = exclusive_before
        self._printed = printed
        self.columns = list(columns)
        self.key = key
        self._line_end = line_end
        self._stored: list[_Stored] = []  # oldest first
        self._instants: list[int] = []  # of the same rows, for bisecting
        self._by_key: dict[str | None, _Stored] = {}
        self._random = random.Random(name)
        self._lock = threading.RLock()
        for row in rows:
            self.insert(row)

    @property
    def header(self) -> bytes:
        """The CSV's first line."""
        return csv_text.line(self.columns, self._line_end)

    def __len__(self) -> int:
        return len(self._stored)

    def insert(self, row: Mapping[str, str | None]) -> None:
        """Add a row; columns it lacks are missing values.

        Raises ValueError for an unknown column, a key that is there already, a wrong `updated_date`.
        """
        with self._lock:
            self._check_columns(row)
            values = {column: row.get(column) for column in self.columns}
            if values[self.key] in self._by_key:
                raise ValueError(f"{self.name} has a row {self.key}={values[self.key]!r} already")
            self._put(values)

    def touch(
        self,
        which: str | Callable[[Row], bool],
        at: datetime | str,
        values: Mapping[str, str | None] | None = None,
    ) -> int:
        """Move rows (a key, or all a predicate holds for) to a new `updated_date`; the number of rows moved.

        Changes `values` with it, or where none are given counts up the column `revision` if there is one.
        Raises ValueError as `insert` does; then nothing has changed.
        """
        text = at if isinstance(at, str) else instants.to_text(instants.from_datetime(at))
        instants.from_text(text)  # a wrong one must raise before any row is taken out
        with self._lock:
            self._check_columns(values or {})
            found = self._find(which)
            for stored in found:
                self._take(stored)
                changed = _next_revision(stored.values) if values is None else values
                self._put({**stored.values, **changed, CURSOR: text})
        return len(found)

    def delete(self, which: str | Callable[[Row], bool]) -> int:
        """Remove rows (a key, or all a predicate holds for); the number of rows removed."""
        with self._lock:
            found = self._find(which)
            for stored in found:
                self._take(stored)
        return len(found)

    def add_column(self, name: str) -> None:
        """A new last column, missing in every row there is."""
        self._reshape([*self.columns, name])

    def drop_column(self, name: str) -> None:
        """A column less, from every row."""
        self._reshape([column for column in self.columns if column != name])

    def truth(self) -> list[Row]:
        """Every row there is now, as text, oldest first."""
        with self._lock:
            return [self._shown(stored.values) for stored in self._stored]

    def page(self, after: int, before: int, limit: int) -> Page:
        """The newest `limit` rows with `after < updated_date <= before`, newest first.

        Rows of one instant come in another order every time, and any of them may fall beyond the limit.
        """
        with self._lock:
            upper = bisect_left if self.exclusive_before else bisect_right
            low, high = bisect_right(self._instants, after), upper(self._instants, before)
            high = max(low, high)
            first = max(low, high - limit)
            if low < first:  # take all rows of the page's oldest instant, so that chance decides which are cut
                first = max(low, bisect_left(self._instants, self._instants[first]))
            lines = [stored.line for stored in self._stored[first:high]]
            self._shuffle_ties(lines, self._instants[first:high])
        lines.reverse()
        del lines[limit:]
        return Page(b"".join(lines), len(lines))

    def _shuffle_ties(self, lines: list[bytes], ascending: list[int]) -> None:
        shuffled = 0
        # In C speed over the page, since most neighbours differ.
        for start in compress(count(), map(eq, ascending, islice(ascending, 1, None))):
            if start >= shuffled:
                shuffled = bisect_right(ascending, ascending[start])
                tied = lines[start:shuffled]
                self._random.shuffle(tied)
                lines[start:shuffled] = tied

    def _find(self, which: str | Callable[[Row], bool]) -> list[_Stored]:
        if isinstance(which, str):
            return [self._by_key[which]] if which in self._by_key else []
        return [stored for stored in self._stored if which(dict(stored.values))]

    def _check_columns(self, values: Mapping[str, str | None]) -> None:
        if unknown := set(values) - set(self.columns):
            raise ValueError(f"{self.name} has no column {', '.join(sorted(unknown))}")

    def _put(self, values: Row) -> None:
        stored = _Stored(values, instants.from_text(values[CURSOR] or ""), self._render(values))
        place = bisect_right(self._instants, stored.instant)
        self._stored.insert(place, stored)
        self._instants.insert(place, stored.instant)
        self._by_key[values[self.key]] = stored

    def _take(self, stored: _Stored) -> None:
        place = bisect_left(self._instants, stored.instant)
        while self._stored[place] is not stored:
            place += 1
        del self._stored[place], self._instants[place], self._by_key[stored.values[self.key]]

    def _reshape(self, columns: list[str]) -> None:
        with self._lock:
            self.columns = columns
            for stored in self._stored:
                stored.values = {column: stored.values.get(column) for column in columns}
                stored.line = self._render(stored.values)

    def _render(self, values: Row) -> bytes:
        return csv_text.line(self._shown(values).values(), self._line_end)

    def _shown(self, values: Row) -> Row:
        return {**values, CURSOR: self._printed(values[CURSOR] or "")} if self._printed else dict(values)


def coarse(digits: int) -> Callable[[str], str]:
    """Print instants with this many fraction digits only (-1: whole minutes); what is finer is cut, not rounded."""

    def printed(text: str) -> str:
        shown = instants.to_text(instants.from_text(text), max(digits, 0))
        return shown if digits >= 0 else f"{shown[:16]}:00Z"

    return printed


def local(hours: float, digits: int = 6) -> Callable[[str], str]:
    """Print the local time of a place so many hours ahead of UTC, without saying so: `2026-03-01 10:00:00`."""

    def printed(text: str) -> str:
        there = instants.from_text(text) + round(hours * 3600) * 1_000_000
        return instants.to_text(there, digits).removesuffix("Z").replace("T", " ")

    return printed


def _next_revision(values: Row) -> Row:
    return {"revision": str(int(values["revision"] or 0) + 1)} if "revision" in values else {}
