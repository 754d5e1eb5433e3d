"""Narrowing down, page by page, the types that hold every value of every column.

Here: `TypeTracker`. Add here: nothing about particular types (lossless.py). Keep out: tables (evolution.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from orgdata_dagster.warehouse import lossless
from orgdata_dagster.warehouse.names import quoted

_SAMPLE = 20_000  # rows on which the improbable types are sorted out before all rows are read


@dataclass
class ColumnTypes:
    """What is known of a column: the types that hold all its values (preferred first), whether it has any value, and
    how many do not fit the type that a person declared."""

    fits: tuple[str, ...] = ()
    filled: bool = False
    misfits: int = 0


class TypeTracker:
    """Sees the pages of one table one after the other; `columns` is what holds for all of them.

    `declared`: types given by a person, their misfits are counted. `expected`: the types that the table has now; only
    those are tried while they hold, so that a steady table costs one test a column.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        *,
        declared: Mapping[str, str],
        expected: Mapping[str, str],
    ) -> None:
        self.columns: dict[str, ColumnTypes] = {}
        self._connection = connection
        self._declared = declared
        self._expected = {name: kind for name, kind in expected.items() if name not in declared}
        self._seen: list[tuple[str, Sequence[str]]] = []

    def see(self, source: str, columns: Sequence[str]) -> None:
        """Take in the rows of `source` (SQL that yields `columns` as text)."""
        free = [name for name in columns if name not in self._declared]
        for name in columns:
            self.columns.setdefault(name, ColumnTypes((self._expected[name],) if name in self._expected else ()))
        self._guess(source, [name for name in free if name not in self._expected and not self.columns[name].filled])
        self._narrow(source, columns)
        broken = [name for name in free if name in self._expected and not self.columns[name].fits]
        for name in broken:
            # the table's type holds no longer: look for one that holds this page and all that came before
            del self._expected[name]
        self._guess(source, broken)
        for earlier, its_columns in [*self._seen, (source, columns)] if broken else []:
            self._narrow(earlier, [name for name in broken if name in its_columns])
        self._seen.append((source, columns))

    def _guess(self, source: str, names: Sequence[str]) -> None:
        """Set the candidates of columns nothing is known of, from a sample."""
        if not names:
            return
        sample = f"(SELECT * FROM {source} LIMIT {_SAMPLE})"
        scales = self._row(f"SELECT {', '.join(map(lossless.scale_of, names))} FROM {sample}")
        for name, scale in zip(names, scales, strict=True):
            self.columns[name].fits = lossless.candidates(scale)
        self._narrow(sample, names, count=False)

    def _narrow(self, source: str, names: Sequence[str], *, count: bool = True) -> None:
        """Drop the types that a value does not survive; with `count` also note values and misfits."""
        tests = [(name, kind) for name in names if name not in self._declared for kind in self.columns[name].fits]
        wanted = [f"bool_and({lossless.survives(name, kind)})" for name, kind in tests]
        if count:
            wanted += [f"count({quoted(name)}) > 0" for name in names]
            wanted += [_misfits(name, self._declared[name]) for name in names if name in self._declared]
        if not wanted:
            return
        answers = iter(self._row(f"SELECT {', '.join(wanted)} FROM {source}"))
        kept = {pair for pair in tests if next(answers) is not False}
        for name in names:
            if name not in self._declared:
                column = self.columns[name]
                column.fits = tuple(kind for kind in column.fits if (name, kind) in kept)
        if count:
            for name in names:
                self.columns[name].filled |= bool(next(answers))
            for name in names:
                if name in self._declared:
                    self.columns[name].misfits += int(next(answers))

    def _row(self, sql: str) -> tuple[Any, ...]:
        row = self._connection.execute(sql).fetchone()
        assert row is not None  # an aggregate always yields one row
        return tuple(row)


def _misfits(name: str, declared: str) -> str:
    return f"count_if({quoted(name)} IS NOT NULL AND NOT {lossless.declared_fit(name, declared)})"
