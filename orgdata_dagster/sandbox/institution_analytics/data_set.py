"""A data set as the vendor stores it: rows that change, in the order of their `updated_date`.

Here: changing rows, serving pages, and the true rows to compare with.
Add here when: a test needs to change the data in another way.
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


class CsvPage(NamedTuple):
    """CSV lines without the header, and the number of rows."""

    body: bytes
    rows: int


@dataclass(slots=True)
class _Stored:
    values: Row
    instant: int
    line: bytes  # rendered once, served often


class DataSet:
    """Rows with a key, newest first when read. Thread-safe.

    columns: must include the key and `updated_date`.
    line_end: LF or CRLF.
    printed: formats the `updated_date` in answers and in the truth, if it differs from the stored one; see `coarse`
        and `local`.
    exclusive_before: whether a row exactly at `updated_before` is left out, although the document says otherwise.
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

        Raises ValueError for an unknown column, an existing key, or an invalid `updated_date`.
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
        """Move rows to a new `updated_date`; returns the number of rows.

        which: a key, or a predicate.
        values: other changes; None: the column `revision` is incremented, if there is one.

        Raises ValueError like `insert`; then nothing has changed.
        """
        text = at if isinstance(at, str) else instants.to_text(instants.from_datetime(at))
        instants.from_text(text)  # an invalid instant must raise before any row is changed
        with self._lock:
            self._check_columns(values or {})
            found = self._find(which)
            for stored in found:
                self._take(stored)
                changed = _next_revision(stored.values) if values is None else values
                self._put({**stored.values, **changed, CURSOR: text})
        return len(found)

    def delete(self, which: str | Callable[[Row], bool]) -> int:
        """Remove rows; returns their number.

        which: a key, or a predicate.
        """
        with self._lock:
            found = self._find(which)
            for stored in found:
                self._take(stored)
        return len(found)

    def add_column(self, name: str) -> None:
        """Add a last column, without values."""
        self._reshape([*self.columns, name])

    def drop_column(self, name: str) -> None:
        """Remove a column from every row."""
        self._reshape([column for column in self.columns if column != name])

    def truth(self) -> list[Row]:
        """All current rows as text, oldest first."""
        with self._lock:
            return [self._shown(stored.values) for stored in self._stored]

    def page(self, after: int, before: int, limit: int) -> CsvPage:
        """The newest `limit` rows with `after < updated_date <= before`, newest first.

        Rows with the same instant are in another order each time, and any of them may be cut off by the limit.
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
        return CsvPage(b"".join(lines), len(lines))

    def _shuffle_ties(self, lines: list[bytes], ascending: list[int]) -> None:
        shuffled = 0
        # at the speed of C, because most neighbours differ
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
    """Print instants with only this many fraction digits (-1: whole minutes); the rest is cut off, not rounded."""

    def printed(text: str) -> str:
        shown = instants.to_text(instants.from_text(text), max(digits, 0))
        return shown if digits >= 0 else f"{shown[:16]}:00Z"

    return printed


def local(hours: float, digits: int = 6) -> Callable[[str], str]:
    """Print local times that are some hours ahead of UTC, without their zone: `2026-03-01 10:00:00`."""

    def printed(text: str) -> str:
        there = instants.from_text(text) + round(hours * 3600) * 1_000_000
        return instants.to_text(there, digits).removesuffix("Z").replace("T", " ")

    return printed


def _next_revision(values: Row) -> Row:
    return {"revision": str(int(values["revision"] or 0) + 1)} if "revision" in values else {}
