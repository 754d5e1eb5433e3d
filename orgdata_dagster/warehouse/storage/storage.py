"""The interface of all kinds of warehouses.

Here: `Storage`, which duckdb_file.py, lake.py and motherduck.py implement. Add here: an operation that differs between
kinds of warehouses. Keep out: opening and transactions, which are the same for all kinds (connection.py).
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
    """A place for the tables.

    shown: the URI for messages, without a password and without options.
    alias: the database's name in a connection.
    options: additional options of DuckDB's ATTACH, name -> value.
    secrets: values that must never be shown.
    consistent: whether all statements of a reader see the same state without a transaction, because writers wait.
    """

    shown: str
    alias: str = ALIAS
    options: Mapping[str, str] = MappingProxyType({})
    secrets: tuple[str, ...] = ()
    consistent: bool = True

    @property
    @abstractmethod
    def exists(self) -> bool:
        """Whether the warehouse exists."""

    @abstractmethod
    def make_ready(self) -> None:
        """Create folders, before a writer attaches the database. Raises WarehouseUnavailable."""

    def load(self, connection: duckdb.DuckDBPyConnection) -> None:  # noqa: B027 - a file needs nothing
        """Load the extensions and set the secrets that the connection needs. Raises WarehouseUnavailable."""

    @abstractmethod
    def attach(self, connection: duckdb.DuckDBPyConnection, alias: str, *, read_only: bool) -> None:
        """Attach the database once, without waiting for anything. A writer creates it if it does not exist."""

    def look(self, connection: duckdb.DuckDBPyConnection) -> None:  # noqa: B027 - a file's folder is seen in other ways
        """Raise an error if the place of the tables' files cannot be reached, or refuses the credentials."""

    @abstractmethod
    def locked(
        self, *, shared: bool, waiting: Callable[[], None], patience: float | None
    ) -> AbstractContextManager[Confirm]:
        """Hold the lock for reading (shared) or writing.

        waiting: called in another thread if this takes seconds.
        patience: seconds after which StillHeld is raised; None for no limit.
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
        """The error with a message for the user; None if it is about a query and not about the warehouse."""

    def folders(self) -> list[Path]:
        """Folders on this machine that contain the tables."""
        return []

    def files(self) -> Iterator[Path]:
        """Files and folders on this machine that must only be readable by their owner."""
        yield from ()

    def unusable(self, data_type: str) -> bool:  # noqa: ARG002 - a file supports every type
        """Whether values of this SQL type cannot be stored without loss."""
        return False
