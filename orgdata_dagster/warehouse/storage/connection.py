"""Opening the warehouse for reading or writing, by any number of processes.

Here: `Warehouse`: connections, transactions, waiting. Keep out: SQL on tables (commit/, ledger/), the differences
between a file, a lake and MotherDuck (storage.py), Dagster.

Every connection is an in-memory DuckDB that ATTACHes the warehouse and USEs it, so that the same SQL runs on all kinds
of warehouses. A file has one writer or several readers; a lake on PostgreSQL has one writer and any number of readers.
Our processes queue at a lock. If another program (a notebook, the duckdb shell) has the file open, the attempt is
repeated for `patience` seconds. A process that waits reports which process it waits for. Errors of the database and the
system are raised as WarehouseError (causes.py), unless they are about a query.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import duckdb

from orgdata_dagster.state import stopping
from orgdata_dagster.state.file_lock import NOTIFY_AFTER, StillHeld
from orgdata_dagster.warehouse.catalog import remembering
from orgdata_dagster.warehouse.errors import WarehouseDisconnected, WarehouseError, WarehouseHeld, WarehouseUnavailable
from orgdata_dagster.warehouse.names import quoted
from orgdata_dagster.warehouse.storage import instances
from orgdata_dagster.warehouse.storage.causes import broken, first_line, system_error
from orgdata_dagster.warehouse.storage.memory import allowed, in_room, with_room
from orgdata_dagster.warehouse.storage.scratch import process_folder
from orgdata_dagster.warehouse.storage.storage import Confirm
from orgdata_dagster.warehouse.storage.uri import storage_of

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")
_log = logging.getLogger("orgdata.warehouse")
SCRATCH = "memory"  # DuckDB's name for the in-memory database of a connection

# Another thread that reads the catalog of the same DuckDB instance keeps the file open for a moment after its DETACH.
_ALREADY_ATTACHED = "is already attached by database"
_DETACHING = 10.0  # seconds
_RECONNECTING = 1.0  # seconds between two attempts to reach the catalog's server


class Warehouse:
    """The database with the tables.

    uri: a path to a DuckDB file, `ducklake:...` or `md:...` (uri.py); shown without its password afterwards.
    scratch: a folder for DuckDB's spill files, and for locks of databases that are not on this machine.
    base: called for the folder of relative paths in the URI.
    memory: DuckDB's memory limit, such as `512MB`; None for the default (memory.py).
    patience: seconds to wait for another program that has the file open.
    queue_patience: seconds to wait for orgdata's own processes, whose locks are short and end with the process; None
        for no limit.
    notify: called with a message if an operation has to wait.
    """

    def __init__(
        self,
        uri: str,
        *,
        scratch: Path,
        base: Callable[[], Path] = Path.cwd,
        memory: str | None = None,
        patience: float = 60,
    ) -> None:
        self.storage = storage_of(uri, base=base, scratch=scratch)
        self.uri = self.storage.shown
        self.scratch = scratch
        self.memory = memory
        self.patience = patience
        self.queue_patience: float | None = None
        self.notify: Callable[[str], None] = _log.warning
        # leave one core for the next page, which is fetched and measured at the same time
        self.threads = min(4, max(1, (os.cpu_count() or 1) - 1))

    @property
    def exists(self) -> bool:
        """Whether the warehouse exists; always true for MotherDuck."""
        return self.storage.exists

    def alone(self) -> Warehouse:
        """A copy that uses one more core, for work while no page is fetched."""
        other = copy(self)
        other.threads = min(4, os.cpu_count() or 1)
        return other

    @contextmanager
    def writing(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection that may write, under the warehouse's lock. Keep it short: all other processes wait."""
        with self._writing(None) as (connection, _):
            yield connection

    @contextmanager
    def transaction(self, scratch: duckdb.DuckDBPyConnection | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
        """Like `writing`, in one transaction, which an exception rolls back.

        scratch: a `scratch_connection` to which the warehouse is attached, so that the scratch tables can be read too;
            None for a new one.
        """
        with self._writing(scratch) as (connection, confirm):
            connection.execute("BEGIN")
            try:
                yield connection
                confirm()
                connection.execute("COMMIT")
                self.storage.tidy(connection)
            except BaseException:
                with suppress(duckdb.Error):  # after a failed COMMIT the ROLLBACK fails too
                    connection.execute("ROLLBACK")
                raise

    @contextmanager
    def reading(self, scratch: duckdb.DuckDBPyConnection | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
        """A read-only connection with a consistent view. Writers of a file wait until it is closed.

        scratch: see `writing`.

        Raises WarehouseUnavailable if there is no warehouse yet.
        """
        if not self.exists:
            raise WarehouseUnavailable(f"There is no warehouse at {self.uri} yet: pull something first.")
        with (
            self._sentences(),
            self._locked(shared=True) if self.storage.consistent else nullcontext(),
            self._attached(read_only=True, scratch=scratch) as connection,
            nullcontext() if self.storage.consistent else _consistent_view(connection),
        ):
            yield connection

    def query(self, sql: str, parameters: Sequence[object] | None = None) -> pd.DataFrame:
        """The result of one SELECT as a DataFrame, for display: DECIMAL becomes float, and times are in UTC."""

        def answer() -> pd.DataFrame:
            with self.reading(scratch) as connection:
                return connection.execute(sql, parameters).df()

        with self.scratch_connection() as scratch:
            return with_room(scratch, answer)

    @contextmanager
    def scratch_connection(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """An in-memory connection for work outside the warehouse, with the same limits and time zone."""
        with self._sentences():
            try:
                spill = process_folder(self.scratch / "spill")
            except OSError as error:
                raise system_error(error, str(self.scratch)) from None
            memory = self.memory or f"{allowed().share}B"
            with instances.lent(memory=memory, threads=self.threads, spill=spill) as connection:
                yield connection

    def reconnecting(self, work: Callable[[], T]) -> T:
        """Call `work`, and repeat it for `patience` seconds while the catalog's server restarts or is out of reach."""
        deadline = time.monotonic() + self.patience
        while True:
            try:
                return work()
            except WarehouseDisconnected as error:
                if time.monotonic() > deadline:
                    raise
                self.notify(f"trying again: {error}")
            stopping.sleep_until_cut(_RECONNECTING)

    @contextmanager
    def _writing(
        self, scratch: duckdb.DuckDBPyConnection | None
    ) -> Iterator[tuple[duckdb.DuckDBPyConnection, Confirm]]:
        with self._sentences():
            self.storage.make_ready()
            with (
                self._locked(shared=False) as confirm,
                self._attached(read_only=False, scratch=scratch) as connection,
            ):
                yield connection, confirm

    @contextmanager
    def _attached(
        self, *, read_only: bool, scratch: duckdb.DuckDBPyConnection | None = None
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        with nullcontext(scratch) if scratch else self.scratch_connection() as connection:
            self._attach(connection, read_only=read_only)
            try:
                connection.execute(
                    f"USE {quoted(self.storage.alias)}; SET GLOBAL threads = {1 if in_room() else self.threads}"
                )
                with remembering(connection):
                    yield connection
            except BaseException:
                with suppress(duckdb.Error):  # the first error is the one to report
                    connection.execute(self._leave)
                raise
            connection.execute(self._leave)

    def _attach(self, connection: duckdb.DuckDBPyConnection, *, read_only: bool) -> None:
        self.storage.load(connection)
        began = time.monotonic()
        notified = False
        # the warehouse is still attached if detaching failed the last time
        connection.execute(f"USE {SCRATCH}; DETACH DATABASE IF EXISTS {quoted(self.storage.alias)}")
        while True:
            try:
                self.storage.attach(connection, self.storage.alias, read_only=read_only)
                return
            except duckdb.Error as error:
                # if another process has the file open, DuckDB does not wait but fails at once
                waited = time.monotonic() - began
                if _ALREADY_ATTACHED in str(error) and waited < _DETACHING:
                    time.sleep(0.002)
                    continue
                meant = self.explained(error)
                if not isinstance(meant, WarehouseHeld) or waited > self.patience:
                    raise meant or WarehouseUnavailable(
                        f"Cannot open the warehouse {self.uri}: {first_line(error)}. See ORGDATA_WAREHOUSE."
                    ) from None
                if not notified and waited > NOTIFY_AFTER:
                    notified = True
                    self._notify_holder()
                stopping.sleep_until_cut(0.02)

    @property
    def _leave(self) -> str:
        return f"USE {SCRATCH}; DETACH {quoted(self.storage.alias)}"

    @contextmanager
    def _locked(self, *, shared: bool) -> Iterator[Confirm]:
        with ExitStack() as stack:
            lock = self.storage.locked(shared=shared, waiting=self._notify_holder, patience=self.queue_patience)
            try:
                confirm = stack.enter_context(lock)
            except StillHeld:
                raise WarehouseHeld(
                    f"{self.storage.holders() or 'another process'} has held the warehouse {self.uri} for more than "
                    f"{self.queue_patience:.0f} s: wait for its end, or end it."
                ) from None
            except OSError as error:
                raise system_error(error, self.uri) from None
            yield confirm

    def explained(self, error: duckdb.Error) -> WarehouseError | None:
        """The error with a message for the user; None if it is about a query."""
        return self.storage.explained(error) or broken(error, self.uri)

    @contextmanager
    def _sentences(self) -> Iterator[None]:
        """Raise errors of the database as WarehouseErrors with a message for the user."""
        try:
            yield
        except duckdb.Error as error:
            if (meant := self.explained(error)) is None:
                raise
            raise meant from None

    def _notify_holder(self) -> None:
        if who := self.storage.holders():
            self.notify(f"waiting for the warehouse {self.uri}: {who} holds it")


@contextmanager
def _consistent_view(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """A read transaction: all statements see what was committed when the first statement began."""
    connection.execute("BEGIN")
    try:
        yield
    except BaseException:
        with suppress(duckdb.Error):  # the first error is the one to report
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")  # not ROLLBACK, which would remove tables that were created in memory
