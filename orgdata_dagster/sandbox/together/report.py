"""A report as the vendor holds it: rows that change, exported whole as one CSV inside a JSON string.

Here: changing rows and columns, the CSV in the vendor's spelling, and the truth to compare with.
Add here when: the vendor's data must change in a way tests cannot yet make it.
Keep out: HTTP, headers and limits (`api`); made-up data (`demo_data`).
"""

import json
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from orgdata_dagster.sandbox import csv_text
from orgdata_dagster.sandbox.vendor import Row

BOM = "\ufeff"
LINE_END = "\r\n"


class Export(NamedTuple):
    """The inside of a JSON string, in pieces, with its length in bytes and the rows it holds."""

    pieces: Iterable[bytes]
    length: int
    rows: int


class Report:
    """Rows in the order they came in. Thread-safe.

    Where the report has a `key`, rows can be named by it and no two may share one.
    """

    def __init__(
        self, columns: Iterable[str], rows: Iterable[Mapping[str, str | None]] = (), *, key: str | None = None
    ) -> None:
        self.columns = list(columns)
        self.key = key
        self._rows: list[Row] = []
        self._lock = threading.RLock()
        for row in rows:
            self.insert(row)

    def __len__(self) -> int:
        return len(self._rows)

    def insert(self, row: Mapping[str, str | None]) -> None:
        """Add a row; columns it lacks are missing values.

        Raises ValueError for an unknown column and for a key that is there already.
        """
        with self._lock:
            self._check_columns(row)
            if self.key and any(other[self.key] == row.get(self.key) for other in self._rows):
                raise ValueError(f"there is a row {self.key}={row.get(self.key)!r} already")
            self._rows.append({column: row.get(column) for column in self.columns})

    def update(self, which: str | Callable[[Row], bool], values: Mapping[str, str | None]) -> int:
        """Change rows (a key, or all a predicate holds for); the number of rows.

        Raises ValueError for an unknown column; then nothing has changed.
        """
        with self._lock:
            self._check_columns(values)
            found = self._find(which)
            for row in found:
                row.update(values)
        return len(found)

    def delete(self, which: str | Callable[[Row], bool]) -> int:
        """Remove rows (a key, or all a predicate holds for); the number of rows."""
        with self._lock:
            found = {id(row) for row in self._find(which)}
            self._rows = [row for row in self._rows if id(row) not in found]
        return len(found)

    def add_column(self, name: str, value: str | None = None) -> None:
        """A new last column, with this value in every row there is."""
        with self._lock:
            self.columns.append(name)
            for row in self._rows:
                row[name] = value

    def drop_column(self, name: str) -> None:
        """A column less, from every row. Raises ValueError where there is no such column."""
        with self._lock:
            self.columns.remove(name)
            for row in self._rows:
                del row[name]

    def truth(self) -> list[Row]:
        """Every row there is now, as text."""
        with self._lock:
            return [dict(row) for row in self._rows]

    def csv(self) -> str:
        """The whole report: BOM, header, CR LF between the lines and none after the last."""
        with self._lock:
            lines = [csv_text.line(self.columns, LINE_END)]
            lines += [csv_text.line((row[column] for column in self.columns), LINE_END) for row in self._rows]
        return BOM + b"".join(lines).decode().removesuffix(LINE_END)

    def export(self, escape_unicode: bool) -> Export:
        """The CSV as JSON spells it, characters beyond ASCII as `\\uXXXX` or as they are."""
        with self._lock:
            inside = json.dumps(self.csv(), ensure_ascii=escape_unicode)[1:-1].encode()
            return Export([inside], len(inside), len(self._rows))

    def _find(self, which: str | Callable[[Row], bool]) -> list[Row]:
        if callable(which):
            return [row for row in self._rows if which(dict(row))]
        if self.key is None:
            raise ValueError("this report has no key: name its rows by a predicate")
        return [row for row in self._rows if row[self.key] == which]

    def _check_columns(self, values: Mapping[str, str | None]) -> None:
        if unknown := set(values) - set(self.columns):
            raise ValueError(f"no column {', '.join(sorted(unknown))}")
