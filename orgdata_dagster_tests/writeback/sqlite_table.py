"""A table of a SQLite file as a destination. It shows that the engine does not depend on octolis or HTTP.

Here: the destination, its resource, its value formats and its YAML. Add here when: a test needs another behaviour.
Keep out: assertions, and what the tests write (rig.py).
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar

import dagster as dg
import duckdb
from pydantic import Field

from orgdata_dagster.http.errors import PermanentError, TransientError
from orgdata_dagster.http.records import RequestRecord
from orgdata_dagster.warehouse.names import quoted
from orgdata_dagster.writeback import payloads
from orgdata_dagster.writeback.columns import ColumnMapping, InvalidValue, ValueFormats
from orgdata_dagster.writeback.component import SyncComponent
from orgdata_dagster.writeback.destination import (
    Attempt,
    AttemptObserver,
    BatchRefused,
    Busy,
    Destination,
    Pace,
    ResultColumn,
    Row,
    RowResult,
    Write,
    recast,
)
from orgdata_dagster.writeback.sync import Text


class SqliteFile(dg.ConfigurableResource):
    """The file."""

    path: str


@dataclass(frozen=True)
class SqliteTable(Destination):
    """A table, upserted by its key.

    row_by_row: whether each row is refused or written independently; otherwise a bad row makes the table refuse its
        whole batch.
    faults: the faults of the next batches, in order. "": none; "lost": the answer is lost, so that it is unknown
        whether the batch was written; "lost once": the same, but the client writes the batch again; "killed": the
        process is killed after the batch was written; "short": a row has no result.
    """

    result_columns: ClassVar[Mapping[str, ResultColumn]] = {
        "rowid_there": ResultColumn("BIGINT", "The row's number in SQLite.", lambda result, _: result.record_id)
    }

    target: str
    fields: ColumnMapping
    batch_size: int = 10
    row_by_row: bool = True
    faults: list[str] = field(default_factory=list)
    vendor: str = "shop"

    @property
    def resource(self) -> str:
        """The key of the file's resource."""
        return "shop_file"

    @property
    def pool(self) -> str:
        """One pool for the file."""
        return "shop"

    def pace(self, resource: SqliteFile) -> Pace:
        """As fast as it goes, one writer at a time."""
        del resource
        return Pace(requests_per_minute=float("inf"), at_once=1)

    def fill(self, connection: duckdb.DuckDBPyConnection) -> None:
        """One payload per row."""
        payloads.fill(connection, self.fields, FORMATS)

    @contextmanager
    def connect(self, resource: SqliteFile, requests: Callable[[RequestRecord], None]) -> Iterator[Write]:
        """Upserts in transactions."""
        del requests  # there is no HTTP

        def write(rows: Sequence[Row], observer: AttemptObserver) -> Sequence[RowResult]:
            fault, began = self.faults.pop(0) if self.faults else "", time.monotonic()
            with closing(sqlite3.connect(resource.path, timeout=0, isolation_level=None)) as connection:
                results = self._write(connection, rows, fault)
            lost = "the connection was cut" if fault.startswith("lost") else None
            observer(Attempt(time.monotonic() - began, lost))
            if fault == "short":
                return results[1:]
            if fault == "lost once":
                return write(rows, observer)
            if fault == "lost":
                raise TransientError("the connection was cut", vendor=self.vendor)
            return results

        yield write

    def _write(self, connection: sqlite3.Connection, rows: Sequence[Row], fault: str) -> list[RowResult]:
        try:
            connection.execute("BEGIN IMMEDIATE")
            results = [self._upsert(connection, json.loads(row.payload)) for row in rows]
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise self._recovered(error) from None
        if fault == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        return results

    def _upsert(self, connection: sqlite3.Connection, payload: Mapping[str, Any]) -> RowResult:
        names, key = [quoted(name) for name in payload], [quoted(name) for name in self.fields.key]
        changes = ", ".join(f"{name} = excluded.{name}" for name in names)
        sql = (
            f"INSERT INTO {quoted(self.target)} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))}) "
            f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changes} RETURNING rowid"
        )
        try:
            (number,) = connection.execute(sql, list(payload.values())).fetchone()
        except sqlite3.IntegrityError as error:
            if not self.row_by_row:
                raise
            return RowResult(written=False, reason=str(error))
        return RowResult(written=True, record_id=str(number))

    def _recovered(self, error: sqlite3.Error) -> PermanentError | Busy:
        permanent = PermanentError(str(error), vendor=self.vendor, endpoint=self.target, remedy="Look at the table.")
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
            return recast(permanent, Busy)
        return recast(permanent, BatchRefused) if isinstance(error, sqlite3.IntegrityError) else permanent


_TYPES = {"VARCHAR": "text", "BIGINT": "integer", "INTEGER": "integer", "HUGEINT": "integer", "DOUBLE": "real"}


def _check(type_: str, value: Any) -> Any:
    if type_ == "integer" and not -(2**63) <= value < 2**63:
        raise InvalidValue("must fit in 64 bits")
    return value


FORMATS = ValueFormats("shop", _TYPES.get, lambda name, _: quoted(name), _check)


class SqliteSync(SyncComponent):
    """YAML of a table that is kept equal to a SELECT."""

    vendor: ClassVar[str] = "shop"
    ending: ClassVar[str] = "table"

    file: Text = Field(description="The SQLite file.")
    table: Text = Field(description="The table.")
    key: list[Text] = Field(description="The columns of its primary key.")

    @property
    def summary(self) -> str:
        """A sentence about the purpose of the component."""
        return f"Keeps table `{self.table}` equal to its source."

    def connected(self, context: dg.ComponentLoadContext) -> tuple[Destination, object]:
        """The table in its file."""
        del context
        return SqliteTable(self.table, ColumnMapping(tuple(self.key))), SqliteFile(path=self.file)
