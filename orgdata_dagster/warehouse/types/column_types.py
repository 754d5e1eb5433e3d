"""Inferring the types that hold every value of a column, first from a sample and, if that fails, from all rows.

Here: `TypeTracker`. Add here: another step of the inference. Keep out: rules for a particular type (lossless.py),
changes to tables (commit/evolution.py).

Inferring types from a sample is safe: the commit checks every value while it casts it (commit/evolution.py), and calls
`analyse` when a value does not survive. A table whose types do not change is therefore read once, not twice.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from orgdata_dagster.warehouse.names import folded, quoted
from orgdata_dagster.warehouse.pages.page import Kinds
from orgdata_dagster.warehouse.storage.memory import with_room
from orgdata_dagster.warehouse.types import declared, lossless

SAMPLE = 4_000  # rows
_EXAMPLE = 100  # characters
_NO: Kinds = frozenset()
# Columns per query. DuckDB keeps a buffer of tens of kilobytes for each step of each expression, so a query's memory
# grows with the number of columns that it reads.
BATCH = 100


@dataclass
class ColumnTypes:
    """What is known about one column.

    fits: the types that hold all its values, preferred first.
    filled: whether it has any value.
    misfits: number of values that do not fit the declared type.
    kinds: the JSON kinds of its values; None if the format does not distinguish kinds.
    """

    fits: tuple[str, ...] = ()
    filled: bool = False
    misfits: int = 0
    kinds: Kinds | None = None


class TypeTracker:
    """Reads the pages of one table in turn and keeps in `columns` what is known about each column.

    declared: folded column name -> the type declared in the YAML.
    expected: column -> its type in the existing table. These types are assumed to fit until `analyse` has run. After
        that, `exact` is true and `columns` is valid for every value.
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, *, declared: Mapping[str, str], expected: Mapping[str, str]
    ) -> None:
        self.columns: dict[str, ColumnTypes] = {}
        self.exact = False
        self._connection = connection
        self._declared = declared
        self._guesses = expected
        self._seen: list[tuple[str, Sequence[str]]] = []
        self._proven: list[set[str]] = []  # per source: the columns whose every row has been checked
        self._spelling = {folded(name): name for name in expected}

    def see(self, source: str, columns: Sequence[str], records: int, kinds: Mapping[str, Kinds] | None = None) -> None:
        """Read the rows of `source`, a SQL relation with `columns` as text. `kinds`: column -> its JSON kinds."""
        # DuckDB's names ignore case, so two spellings on two pages are one column
        spelled = {name: self._spelling.setdefault(folded(name), name) for name in columns}
        columns = list(spelled.values())
        for name in columns:
            expected = self._expected(name)
            self.columns.setdefault(name, ColumnTypes((expected,) if expected else (), filled=expected is not None))
        for name, found in (kinds or {}).items():
            column = self.columns[spelled[name]]
            column.kinds = (column.kinds or frozenset()) | found
            if not all(lossless.allows(column.kinds, kind) for kind in column.fits):
                # This also drops the existing table's type: a JSON string is never a number, even if it looks like one.
                column.fits, column.filled = (), False
        self._seen.append((source, columns))
        unknown = [name for name in columns if not self.columns[name].filled]
        self._proven.append(set())
        if unknown:
            rows = max(1, SAMPLE * BATCH // max(BATCH, len(columns)))  # a wide table is sampled with fewer rows
            self._candidates(source, unknown, rows)
            self._narrow(source, unknown, rows)
            if records <= rows:
                self._proven[-1].update(unknown)

    def absorb(self, other: TypeTracker) -> None:
        """Merge what another tracker has seen of the same table."""
        spelled = {name: self._spelling.setdefault(folded(name), name) for name in other.columns}
        for name, found in other.columns.items():
            column = self.columns.setdefault(spelled[name], ColumnTypes(found.fits, found.filled))
            column.kinds = None if column.kinds is found.kinds is None else (column.kinds or _NO) | (found.kinds or _NO)
            if not column.filled:
                column.fits = found.fits
            elif found.filled:
                column.fits = tuple(kind for kind in column.fits if kind in found.fits)
            column.filled |= found.filled
            column.misfits += found.misfits
            if not all(lossless.allows(column.kinds, kind) for kind in column.fits):
                column.fits, column.filled = (), False
        self._seen += [(source, [spelled[name] for name in columns]) for source, columns in other._seen]
        self._proven += [{spelled[name] for name in proven} for proven in other._proven]
        self.exact = self.exact and other.exact

    def analyse(self, names: Collection[str] | None = None) -> None:
        """Check every value of these columns (None: all columns) on every page."""
        names = set(self.columns if names is None else names)
        for name in names:
            self.columns[name] = ColumnTypes(kinds=self.columns[name].kinds)
        for source, columns in self._seen:
            self._candidates(source, [name for name in columns if name in names and not self.columns[name].fits])
        for source, columns in self._seen:
            self._narrow(source, [name for name in columns if name in names])
        self.exact = True

    def prove(self) -> None:
        """Check that what the samples showed holds for every value.

        Cheaper than `analyse`: it tries only the remaining candidates, and skips pages that the sample covered fully.
        """
        unproven = {
            name for name, column in self.columns.items() if not column.filled or folded(name) in self._declared
        }
        fitting = {name for name, column in self.columns.items() if column.fits} - unproven
        for (source, columns), proven in zip(self._seen, self._proven, strict=True):
            self._narrow(source, [name for name in columns if name in fitting and name not in proven])
        # Columns that have lost every candidate may still fit a type that has not been tried.
        self.analyse(unproven | {name for name in fitting if not self.columns[name].fits})

    def _candidates(self, source: str, names: Sequence[str], rows: int | None = None) -> None:
        """Set the candidate types of each column that has a value in `source`, judged by one example value."""
        for free in batches([name for name in names if folded(name) not in self._declared]):
            wanted = [f"any_value(left({quoted(name)}, {_EXAMPLE}))" for name in free]
            examples = self._row(f"SELECT {', '.join(wanted)} FROM {_rows(source, free, rows)}")
            for name, example in zip(free, examples, strict=True):
                if example is None:
                    continue
                column = self.columns[name]
                column.filled = True
                known = [expected] if (expected := self._expected(name)) else []
                found = dict.fromkeys([*lossless.candidates(example, column.kinds), *known])
                column.fits = tuple(
                    kind
                    for kind in found
                    if lossless.allows(column.kinds, kind) and lossless.possible(example, kind, column.kinds)
                )

    def _narrow(self, source: str, names: Sequence[str], rows: int | None = None) -> None:
        """Drop each type that some value does not survive; record which columns have values, and count misfits."""
        open_ones = [
            name
            for name in names
            if self.columns[name].fits or not self.columns[name].filled or folded(name) in self._declared
        ]
        for batch in batches(open_ones):
            self._narrow_batch(_rows(source, batch, rows), batch)

    def _narrow_batch(self, source: str, names: Sequence[str]) -> None:
        tests = [(name, kind) for name in names for kind in self.columns[name].fits]
        named = [name for name in names if folded(name) in self._declared]
        wanted = [f"bool_and({lossless.survives(name, kind, self.columns[name].kinds)})" for name, kind in tests]
        wanted += [f"count({quoted(name)}) > 0" for name in names]
        wanted += [_misfits(name, self._declared[folded(name)]) for name in named]
        answers = iter(self._row(f"SELECT {', '.join(wanted)} FROM {source}"))
        kept = {test for test in tests if next(answers) is not False}
        for name in names:
            column = self.columns[name]
            column.fits = tuple(kind for kind in column.fits if (name, kind) in kept)
            column.filled |= bool(next(answers))
        for name in named:
            self.columns[name].misfits += int(next(answers))

    def _expected(self, name: str) -> str | None:
        return None if folded(name) in self._declared else self._guesses.get(name)

    def _row(self, sql: str) -> tuple[Any, ...]:
        row = with_room(self._connection, lambda: self._connection.execute(sql).fetchone())
        assert row is not None  # an aggregate always yields one row
        return tuple(row)


def batches(names: Sequence[str]) -> Iterator[Sequence[str]]:
    """Split the columns of a table into portions that one query can handle."""
    return (names[first : first + BATCH] for first in range(0, len(names), BATCH))


def _rows(source: str, names: Sequence[str], rows: int | None) -> str:
    """SQL: these columns of the first `rows` rows of a source; the source itself if `rows` is None."""
    return source if rows is None else f"(SELECT {', '.join(map(quoted, names))} FROM {source} LIMIT {rows})"


def _misfits(name: str, kind: str) -> str:
    return f"count_if({quoted(name)} IS NOT NULL AND NOT {declared.fits(name, kind, lossless.converted(name, kind))})"
