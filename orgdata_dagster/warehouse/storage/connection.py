"""Opening the warehouse for reading or writing, by any number of processes.

Here: `Warehouse`, which knows where the tables are and how to open them. Add here: another kind of URI.
Keep out: SQL on tables (commit/, ledger/) and Dagster.

Every connection is an in-memory DuckDB that ATTACHes the URI and USEs it, so that the same SQL runs on a file, on
DuckLake or on MotherDuck. A file has one writer or several readers. Our processes queue at a kernel lock. If another
program (a notebook, the duckdb shell) has the file open, the attempt is repeated until `patience` is over. A process
that waits says which process it waits for. Errors of the database and the system are raised as WarehouseError
(causes.py), unless they are about a query.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from orgdata_dagster.state.file_lock import SAY_AFTER, StillHeld, locked
from orgdata_dagster.warehouse.catalog import remembering
from orgdata_dagster.warehouse.errors import WarehouseHeld, WarehouseUnavailable
from orgdata_dagster.warehouse.names import literal
from orgdata_dagster.warehouse.storage import instances
from orgdata_dagster.warehouse.storage.causes import explained, first_line, system_error
from orgdata_dagster.warehouse.storage.holders import holders, told
from orgdata_dagster.warehouse.storage.memory import allowed, in_room, with_room
from orgdata_dagster.warehouse.storage.scratch import process_folder

if TYPE_CHECKING:
    import pandas as pd

_log = logging.getLogger("orgdata.warehouse")
ALIAS = "warehouse"
# v1.4.0: text compresses in two thirds of the time that the format of 1.2 takes. Block size: appending to a table takes
# two blocks per column at once, with the default of 256 KB a gigabyte for 2,000 columns; below 64 KB text no longer
# compresses well.
_NEW_FILE = "STORAGE_VERSION 'v1.4.0', BLOCK_SIZE 65536"
SCRATCH = "memory"  # the database's name for what a connection keeps in memory
_LEAVE = f"USE {SCRATCH}; DETACH {ALIAS}"

# Another thread that asks the catalog of the same DuckDB instance keeps the file open for a moment after its DETACH.
_ALREADY_ATTACHED = "is already attached by database"
_LETTING_GO = 10.0  # seconds


class Warehouse:
    """The database that holds the tables.

    uri: a path to a DuckDB file, or anything else that DuckDB's ATTACH accepts (`ducklake:...`, `md:...`).
    scratch: a folder for locks of remote URIs and for DuckDB's spill files.
    memory: DuckDB's memory limit, such as `512MB`; None for the default (memory.py).
    patience: seconds to wait for another program that has the file open.
    queue_patience: seconds to wait for processes of ours, whose locks are short and end with them; None: no limit.
    say: called with a message when something has to wait.
    """

    def __init__(self, uri: str, *, scratch: Path, memory: str | None = None, patience: float = 60) -> None:
        self.uri = uri
        self.scratch = scratch
        self.memory = memory
        self.patience = patience
        self.queue_patience: float | None = None
        self.say: Callable[[str], None] = _log.warning
        # leave one core for the next page, which is fetched and measured at the same time
        self.threads = min(4, max(1, (os.cpu_count() or 1) - 1))
        self.is_file = re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", uri) is None
        if self.is_file:
            self.uri = str(Path(uri).expanduser().absolute())

    @property
    def lock_path(self) -> Path:
        """The lock file at which the processes that use this warehouse queue."""
        if self.is_file:
            return Path(self.uri + ".lock")
        return self.scratch / f"{hashlib.sha256(self.uri.encode()).hexdigest()[:16]}.lock"

    @property
    def exists(self) -> bool:
        """Whether there is something to read; False only for a file that does not exist yet."""
        return not self.is_file or Path(self.uri).exists()

    def alone(self) -> Warehouse:
        """A copy that uses one more core, for work during which nothing else is fetched."""
        other = copy(self)
        other.threads = min(4, os.cpu_count() or 1)
        return other

    @contextmanager
    def writing(self, scratch: duckdb.DuckDBPyConnection | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection that may write, under the warehouse's lock. Keep it short: all other processes wait.

        scratch: a `scratch_connection` to attach the warehouse to, so that its own tables can be read too. If None, a
            new one is used.
        """
        with self._sentences():
            if self.is_file:
                self._make_folder()
            with self._locked(shared=False), self._attached(read_only=False, scratch=scratch) as connection:
                yield connection

    @contextmanager
    def transaction(self, scratch: duckdb.DuckDBPyConnection | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
        """As `writing`, in one transaction, which an exception rolls back."""
        with self.writing(scratch) as connection:
            connection.execute("BEGIN")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                with suppress(duckdb.Error):  # after a failed COMMIT the ROLLBACK fails too
                    connection.execute("ROLLBACK")
                raise

    @contextmanager
    def reading(self, scratch: duckdb.DuckDBPyConnection | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
        """A read-only connection. Writers wait until it is closed. scratch: as for `writing`.

        Raises WarehouseUnavailable if there is no warehouse yet.
        """
        if not self.exists:
            raise WarehouseUnavailable(f"There is no warehouse at {self.uri} yet: pull something first.")
        with (
            self._sentences(),
            self._locked(shared=True),
            self._attached(read_only=True, scratch=scratch) as connection,
        ):
            yield connection

    def query(self, sql: str, parameters: Sequence[object] | None = None) -> pd.DataFrame:
        """The result of one SELECT as a DataFrame, for display: DECIMAL becomes float, times are in UTC."""

        def answer() -> pd.DataFrame:
            with self.reading(scratch) as connection:
                return connection.execute(sql, parameters).df()

        with self.scratch_connection() as scratch:
            return with_room(scratch, answer)

    @contextmanager
    def scratch_connection(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """An in-memory connection for work beside the warehouse, with the same limits and time zone."""
        with self._sentences():
            try:
                spill = process_folder(self.scratch / "spill")
            except OSError as error:
                raise system_error(error, str(self.scratch)) from None
            memory = self.memory or f"{allowed().share}B"
            with instances.lent(memory=memory, threads=self.threads, spill=spill) as connection:
                yield connection

    @contextmanager
    def _attached(
        self, *, read_only: bool, scratch: duckdb.DuckDBPyConnection | None = None
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        with nullcontext(scratch) if scratch else self.scratch_connection() as connection:
            self._attach(connection, read_only=read_only)
            try:
                connection.execute(f"USE {ALIAS}; SET GLOBAL threads = {1 if in_room() else self.threads}")
                with remembering(connection):
                    yield connection
            except BaseException:
                with suppress(duckdb.Error):  # the first error is the one to report
                    connection.execute(_LEAVE)
                raise
            connection.execute(_LEAVE)

    def _attach(self, connection: duckdb.DuckDBPyConnection, *, read_only: bool) -> None:
        new = self.is_file and not self.exists
        option = " (READ_ONLY)" if read_only else f" ({_NEW_FILE})" if new else ""
        began = time.monotonic()
        said = False
        # it is still attached if detaching failed the last time
        connection.execute(f"USE {SCRATCH}; DETACH DATABASE IF EXISTS {ALIAS}")
        while True:
            try:
                connection.execute(f"ATTACH {literal(self.uri)} AS {ALIAS}{option}")
                return
            except duckdb.Error as error:
                # DuckDB does not wait if another process has the file open: it fails at once
                waited = time.monotonic() - began
                if _ALREADY_ATTACHED in str(error) and waited < _LETTING_GO:
                    time.sleep(0.002)
                    continue
                meant = explained(error, self.uri)
                if not isinstance(meant, WarehouseHeld) or waited > self.patience:
                    self._forget_empty(new=new)
                    raise meant or WarehouseUnavailable(
                        f"Cannot open the warehouse {self.uri}: {first_line(error)}. See ORGDATA_WAREHOUSE."
                    ) from None
                if not said and waited > SAY_AFTER:
                    said = True
                    self._say_who()
                time.sleep(0.02)

    @contextmanager
    def _locked(self, *, shared: bool) -> Iterator[None]:
        with ExitStack() as stack:
            lock = locked(self.lock_path, shared=shared, waiting=self._say_who, patience=self.queue_patience)
            try:
                stack.enter_context(lock)
            except StillHeld:
                raise WarehouseHeld(
                    f"{self._who() or 'another process'} has held the warehouse {self.uri} for more than "
                    f"{self.queue_patience:.0f} s: wait for its end, or end it."
                ) from None
            except OSError as error:
                raise system_error(error, self.uri) from None
            yield

    @contextmanager
    def _sentences(self) -> Iterator[None]:
        """Raise errors of the database as WarehouseErrors with a full sentence."""
        try:
            yield
        except duckdb.Error as error:
            if (meant := explained(error, self.uri)) is None:
                raise
            raise meant from None

    def _say_who(self) -> None:
        if who := self._who():
            self.say(f"waiting for the warehouse {self.uri}: {who} holds it")

    def _who(self) -> str:
        """The other processes that hold the warehouse, for a message; "" if there are none."""
        files = (Path(self.uri), self.lock_path) if self.is_file else (self.lock_path,)
        found = dict.fromkeys(holder for file in files for holder in holders(file))
        return told(found) if found else ""

    def _forget_empty(self, *, new: bool) -> None:
        """Delete the empty file that a failed first attempt leaves: it would be taken for a damaged database."""
        path = Path(self.uri)
        with suppress(OSError):
            if new and path.is_file() and not path.stat().st_size:
                path.unlink()

    def _make_folder(self) -> None:
        folder = Path(self.uri).parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise WarehouseUnavailable(
                f"Cannot create the folder {folder}: {(error.strerror or str(error)).lower()}. Set ORGDATA_WAREHOUSE "
                "to a path that you may write to."
            ) from None
        if not os.access(folder, os.W_OK):
            raise WarehouseUnavailable(
                f"The folder {folder} is not writable. Make it so, or set ORGDATA_WAREHOUSE to another path."
            )
