"""A warehouse in its own folder, and a short way from CSV text to a committed partition.

Here: what the tests of the warehouse share. Add here when: two of them need it. Keep out: assertions.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from orgdata_dagster.warehouse.catalog import table_columns
from orgdata_dagster.warehouse.commit.commit_result import CommitResult
from orgdata_dagster.warehouse.commit.target import PartitionLoad, Target
from orgdata_dagster.warehouse.commit.transaction import commit
from orgdata_dagster.warehouse.names import OWN_PREFIX, TableName, quoted
from orgdata_dagster.warehouse.pages.extents import extent
from orgdata_dagster.warehouse.pages.stage import Stage, StagedPage
from orgdata_dagster.warehouse.storage.connection import Warehouse
from orgdata_dagster.warehouse.types import lossless
from orgdata_dagster_tests import warehouses

ITEMS = Target(TableName("acme", "items"))
DAY = "2026-03-01"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Rig:
    """`connection` stages pages and looks into the warehouse: to open another one for each look takes 25 ms.

    `location`: the warehouse's URI, with its password; the default is of the kind that the session tests.
    """

    def __init__(self, folder: Path, connection: duckdb.DuckDBPyConnection, location: str = "") -> None:
        self.folder = folder
        self.location = location or warehouses.location(folder)
        self.warehouse = Warehouse(self.location, scratch=folder / "scratch", patience=10)
        self.connection = connection
        self._numbers = itertools.count()
        self.expected: dict[TableName, Mapping[str, str]] = {}

    def file(self, body: str | bytes) -> Path:
        path = self.folder / f"page-{next(self._numbers)}.csv"
        path.write_bytes(body if isinstance(body, bytes) else body.encode())
        return path

    def stage(
        self,
        *bodies: str | bytes,
        partition: str | None = DAY,
        cursor: str | None = None,
        declared: dict[str, str] | None = None,
        bounds: Sequence[tuple[datetime | None, datetime | None]] = (),
        table: TableName = ITEMS.table,
    ) -> Stage:
        """Stage pages as a run does: measured, and with the types that the table has now as a first guess."""
        stage = Stage(self.connection, cursor=cursor, declared=declared, expected=self.expected.get(table))
        for body, (after, until) in itertools.zip_longest(bodies, bounds, fillvalue=(None, None)):
            page, _ = extent(self.connection, self.file(body), cursor)  # type: ignore[arg-type]
            stage.add(StagedPage(page, partition, after, until))
        return stage

    def land(
        self,
        *bodies: str | bytes,
        target: Target = ITEMS,
        partition: str | None = DAY,
        as_of: datetime = NOON,
        run_id: str = "run",
        load: dict[str, Any] | None = None,
        **staging: Any,
    ) -> CommitResult:
        """Stage and commit one partition. `staging`: see `stage`; `load`: more fields of PartitionLoad."""
        stage = self.stage(*bodies, partition=partition, cursor=target.cursor, table=target.table, **staging)
        loads = [replace(PartitionLoad(partition, as_of), **(load or {}))]
        done = commit(self.warehouse, target, stage, loads, run_id=run_id)
        self.expected[target.table] = done.expected
        return done

    @contextmanager
    def looking(self) -> Iterator[duckdb.DuckDBPyConnection]:
        storage = self.warehouse.storage
        storage.load(self.connection)
        storage.attach(self.connection, "looked_at", read_only=True)
        self.connection.execute("USE looked_at")
        try:
            yield self.connection
        finally:
            self.connection.execute("USE memory; DETACH looked_at")

    def sql(self, sql: str) -> list[tuple[Any, ...]]:
        with self.looking() as connection:
            return connection.execute(sql).fetchall()

    def types(self, target: Target = ITEMS) -> dict[str, str]:
        """The vendor's columns of the table and their types."""
        with self.looking() as connection:
            return _vendor_columns(connection, target)

    def texts(self, order: str = "ALL", target: Target = ITEMS) -> list[tuple[str | None, ...]]:
        """The vendor's columns of all rows as the text they came from."""
        with self.looking() as connection:
            types = _vendor_columns(connection, target)
            columns = ", ".join(f"{lossless.as_text(name, kind)} AS {quoted(name)}" for name, kind in types.items())
            return connection.execute(f"SELECT {columns} FROM {target.table.sql} ORDER BY {order}").fetchall()


def _vendor_columns(connection: duckdb.DuckDBPyConnection, target: Target) -> dict[str, str]:
    columns = table_columns(connection, target.table)
    return {name: kind for name, kind in columns.items() if not name.startswith(OWN_PREFIX)}
