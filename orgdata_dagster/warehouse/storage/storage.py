"""What every kind of warehouse has in common, and what each kind does in its own way.

Here: `Storage`, the interface of duckdb_file.py, lake.py and motherduck.py. Add here: something that a kind of
warehouse has to do differently. Keep out: opening and transactions, which are the same for all (connection.py).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from types import MappingProxyType

import duckdb

from orgdata_dagster.warehouse.errors import WarehouseError

ALIAS = "warehouse"
Confirm = Callable[[], None]
"""Raises WarehouseUnavailable if the lock was lost, so that another process may be writing."""


class Storage(ABC):
    """Where the tables are.

    shown: the URI for messages, without a password and without options.
    alias: the name under which a connection has the database.
    options: what DuckDB's ATTACH is given besides, name -> value.
    secrets: values that must never be shown.
    consistent: a reader's statements see one state without further ado, because writers wait for it.
    """

    shown: str
    alias: str = ALIAS
    options: Mapping[str, str] = MappingProxyType({})
    secrets: tuple[str, ...] = ()
    consistent: bool = True

    @property
    @abstractmethod
    def exists(self) -> bool:
        """Whether there is something to read."""

    @abstractmethod
    def make_ready(self) -> None:
        """Called before a writer attaches: create folders. Raises WarehouseUnavailable."""

    def load(self, connection: duckdb.DuckDBPyConnection) -> None:  # noqa: B027 - a file needs nothing
        """Load the extensions and set the secrets that the connection needs. Raises WarehouseUnavailable."""

    @abstractmethod
    def attach(self, connection: duckdb.DuckDBPyConnection, alias: str, *, read_only: bool) -> None:
        """Attach the database once, without waiting for anything. A writer creates it if it does not exist."""

    @abstractmethod
    def locked(
        self, *, shared: bool, waiting: Callable[[], None], patience: float | None
    ) -> AbstractContextManager[Confirm]:
        """Hold the lock for reading (shared) or writing.

        waiting: called in another thread when this takes seconds. patience: seconds after which StillHeld is raised.
        """

    def tidy(self, connection: duckdb.DuckDBPyConnection) -> None:  # noqa: B027 - a file needs nothing
        """Called after each commit, still under the lock: keep the next ones fast. Never fails."""

    @abstractmethod
    def holders(self) -> str:
        """The other processes that hold the database or its lock, for a message; "" if none is known."""

    @abstractmethod
    def writer(self) -> str:
        """The process that holds the lock for writing now, for a message; "" if there is none."""

    @abstractmethod
    def explained(self, error: duckdb.Error) -> WarehouseError | None:
        """The error as a sentence; None if it is about a query and not about the warehouse."""

    def folders(self) -> list[Path]:
        """Folders of this machine whose disks the tables fill."""
        return []

    def files(self) -> Iterator[Path]:
        """Files and folders of this machine that only their owner may read."""
        yield from ()

    def unusable(self, data_type: str) -> bool:  # noqa: ARG002 - a file holds every type
        """Whether values of this SQL type cannot be stored, or not without loss."""
        return False
