"""A report as the vendor stores it: rows that change, exported as one CSV inside a JSON string.

Here: changing rows and columns, the CSV in the vendor's format, and the true rows to compare with.
Add here when: a test needs to change the data in another way.
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
    """The content of a JSON string.

    pieces: the content, in order.
    length: bytes in total.
    rows: number of rows.
    """

    pieces: Iterable[bytes]
    length: int
    rows: int


class Report:
    """Rows in the order in which they were added. Thread-safe.

    key: the column that identifies a row; None: there is none, and rows are chosen by a predicate.
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

        Raises ValueError for an unknown column or an existing key.
        """
        with self._lock:
            self._check_columns(row)
            if self.key and any(other[self.key] == row.get(self.key) for other in self._rows):
                raise ValueError(f"there is a row {self.key}={row.get(self.key)!r} already")
            self._rows.append({column: row.get(column) for column in self.columns})

    def update(self, which: str | Callable[[Row], bool], values: Mapping[str, str | None]) -> int:
        """Change rows; returns their number.

        which: a key, or a predicate.

        Raises ValueError for an unknown column; then nothing has changed.
        """
        with self._lock:
            self._check_columns(values)
            found = self._find(which)
            for row in found:
                row.update(values)
        return len(found)

    def delete(self, which: str | Callable[[Row], bool]) -> int:
        """Remove rows; returns their number.

        which: a key, or a predicate.
        """
        with self._lock:
            found = {id(row) for row in self._find(which)}
            self._rows = [row for row in self._rows if id(row) not in found]
        return len(found)

    def add_column(self, name: str, value: str | None = None) -> None:
        """Add a last column, with this value in every row."""
        with self._lock:
            self.columns.append(name)
            for row in self._rows:
                row[name] = value

    def drop_column(self, name: str) -> None:
        """Remove a column from every row. Raises ValueError if there is no such column."""
        with self._lock:
            self.columns.remove(name)
            for row in self._rows:
                del row[name]

    def truth(self) -> list[Row]:
        """All current rows as text."""
        with self._lock:
            return [dict(row) for row in self._rows]

    def csv(self) -> str:
        """The whole report: BOM, header, CR LF between the lines but not after the last."""
        with self._lock:
            lines = [csv_text.line(self.columns, LINE_END)]
            lines += [csv_text.line((row[column] for column in self.columns), LINE_END) for row in self._rows]
        return BOM + b"".join(lines).decode().removesuffix(LINE_END)

    def export(self, escape_unicode: bool) -> Export:
        """The CSV as the content of a JSON string.

        escape_unicode: whether characters beyond ASCII are written as `\\uXXXX`.
        """
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
