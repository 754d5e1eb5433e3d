"""A world: simulated vendors, the YAML of a project that pulls them, and the truth about their rows.

Here: `World`, and writing its truth. Keep out: particular worlds (many_rows.py, five_vendors.py).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.outside.truth import Table

Write = Callable[[Path], None]


@dataclass
class World:
    """Vendors and their truth.

    defs: vendor -> type and attributes of its defs.yaml.
    days: the first and the last day to pull.
    tables: the tables that land, each with a function that writes its truth.
    """

    vendors: list[Any]
    defs: dict[str, dict[str, Any]]
    days: tuple[date, date]
    tables: list[tuple[Table, Write]] = field(default_factory=list)

    def add_rows(self, table: Table, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add a table with these rows."""
        self.tables.append((replace(table, file=f"{table.name}.jsonl"), lambda path: _write_rows(path, rows)))

    def add_lines(self, table: Table, text: Callable[[], Iterable[bytes]]) -> None:
        """Add a table with these JSON lines."""
        self.tables.append((replace(table, file=f"{table.name}.jsonl"), lambda path: _write_bytes(path, text())))

    def add_csv(self, table: Table, text: Callable[[], Iterable[bytes | bytearray]]) -> None:
        """Add a table with this CSV, in pieces."""
        self.tables.append((replace(table, file=f"{table.name}.csv"), lambda path: _write_bytes(path, text())))

    def write(self, folder: Path) -> None:
        """Write the truth, and a description of tables, YAML and days, for the other process."""
        folder.mkdir(parents=True, exist_ok=True)
        for table, write in self.tables:
            write(folder / table.file)
        (folder / "tables.json").write_text(json.dumps([table.to_json() for table, _ in self.tables]))
        described = {"defs": self.defs, "days": [str(day) for day in self.days]}
        (folder / "world.json").write_text(json.dumps(described))


def last_days(count: int, until: date | None = None) -> tuple[date, date]:
    """The first and the last of `count` days up to yesterday, or up to `until`."""
    last = until or datetime.now(UTC).date() - timedelta(days=1)
    return last - timedelta(days=count - 1), last


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def columns_of(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """All columns that any of the rows has."""
    return list(dict.fromkeys(name for row in rows for name in row))


def _write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", errors="surrogatepass") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def _write_bytes(path: Path, pieces: Iterable[bytes | bytearray]) -> None:
    with path.open("wb") as file:
        file.writelines(pieces)
