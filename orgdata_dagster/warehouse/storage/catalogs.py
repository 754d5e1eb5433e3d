"""The catalogs of lakes: a file of DuckDB or SQLite on this machine, or a PostgreSQL server.

Here: `LakeCatalog`, and `LocalCatalog`. The catalog on PostgreSQL is in postgres_catalog.py, because it needs a driver.
Add here: another file format. Keep out: the lake's own files and options (lake.py).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import duckdb

from orgdata_dagster.warehouse.errors import WarehouseError
from orgdata_dagster.warehouse.storage.duckdb_file import make_folder
from orgdata_dagster.warehouse.storage.local_lock import LocalLock, LocallyLocked
from orgdata_dagster.warehouse.storage.storage import Confirm


class LakeCatalog(ABC):
    """The database with the description of a lake's tables, and the lock of its writers.

    shown: the part of the URI after `ducklake:`, without a password.
    path: the same part as it is passed to DuckDB.
    extensions: the extensions of DuckDB that it needs.
    secrets: values that must never be shown.
    readers_wait: whether readers wait for writers, and writers for readers.
    """

    shown: str
    path: str
    extensions: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    readers_wait: bool = True

    @property
    @abstractmethod
    def exists(self) -> bool:
        """Whether it contains a lake. Raises WarehouseUnavailable if it cannot be read."""

    @property
    def default_data_path(self) -> Path | None:
        """The default folder for the files of a new lake; None if the user has to name one."""
        return None

    def make_ready(self) -> None:  # noqa: B027 - a server needs nothing
        """Prepare the creation of a lake."""

    def authenticate(self, connection: duckdb.DuckDBPyConnection) -> dict[str, str]:  # noqa: ARG002
        """Set secrets; returns additional options of ATTACH, name -> value."""
        return {}

    @abstractmethod
    def locked(
        self, *, shared: bool, waiting: Callable[[], None], patience: float | None
    ) -> AbstractContextManager[Confirm]:
        """See Storage.locked."""

    @abstractmethod
    def holders(self) -> str:
        """See Storage.holders."""

    @abstractmethod
    def writer(self) -> str:
        """See Storage.writer."""

    def explained(self, error: duckdb.Error) -> WarehouseError | None:  # noqa: ARG002
        """The error with a message for the user; None if it is not about the catalog."""
        return None

    def files(self) -> list[Path]:
        """The catalog's files on this machine."""
        return []


class LocalCatalog(LocallyLocked, LakeCatalog):
    """A catalog in a file on this machine.

    file: its absolute path.
    sqlite: whether it is a SQLite database; otherwise it is a DuckDB file.
    """

    def __init__(self, file: Path, *, sqlite: bool) -> None:
        self.file = file
        self.path = self.shown = f"sqlite:{file}" if sqlite else str(file)
        self.extensions = ("sqlite_scanner",) if sqlite else ()
        self.lock = LocalLock(Path(f"{file}.lock"), (file,))

    @property
    def exists(self) -> bool:
        return self.file.is_file() and self.file.stat().st_size > 0

    @property
    def default_data_path(self) -> Path | None:
        return Path(f"{self.file}.files")

    def make_ready(self) -> None:
        make_folder(self.file.parent)

    def files(self) -> list[Path]:
        return [self.file, Path(f"{self.file}.wal"), self.lock.path]
