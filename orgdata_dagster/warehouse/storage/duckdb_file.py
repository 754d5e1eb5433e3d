"""The default warehouse: one DuckDB file.

Here: `DuckDBFile`. Keep out: explaining its errors (causes.py).

A file has one writer or several readers, so that readers also take the lock.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import duckdb

from orgdata_dagster.warehouse.errors import WarehouseError, WarehouseUnavailable
from orgdata_dagster.warehouse.names import literal
from orgdata_dagster.warehouse.storage.causes import explained
from orgdata_dagster.warehouse.storage.local_lock import LocalLock, LocallyLocked
from orgdata_dagster.warehouse.storage.storage import Storage

# Storage version 1.4.0 compresses text in two thirds of the time of the format of 1.2. Appending to a table needs two
# blocks per column at once: with the default block size of 256 KB, that is a gigabyte for 2,000 columns. Below 64 KB,
# text no longer compresses well.
_NEW_FILE = "STORAGE_VERSION 'v1.4.0', BLOCK_SIZE 65536"
# Half of DuckDB's default. A checkpoint stores up to three neighbouring row groups again if they fit into fewer, but
# not the groups of a commit that fills more than three. A small commit stores the last, partly filled group again.
_ROW_GROUP = "ROW_GROUP_SIZE 61440"


class DuckDBFile(LocallyLocked, Storage):
    """A DuckDB file. `path`: its absolute path."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.shown = str(path)
        self.lock = LocalLock(Path(f"{path}.lock"), (path,))

    @property
    def exists(self) -> bool:
        return self.path.exists()

    def make_ready(self) -> None:
        make_folder(self.path.parent)

    def attach(self, connection: duckdb.DuckDBPyConnection, alias: str, *, read_only: bool) -> None:
        new = not self.exists
        option = "READ_ONLY" if read_only else f"{_NEW_FILE}, {_ROW_GROUP}" if new else _ROW_GROUP
        try:
            connection.execute(f"ATTACH {literal(self.shown)} AS {alias} ({option})")
        except duckdb.Error:
            # a failed first attempt leaves an empty file, which would look like a damaged database
            with suppress(OSError):
                if new and self.path.is_file() and not self.path.stat().st_size:
                    self.path.unlink()
            raise

    def explained(self, error: duckdb.Error) -> WarehouseError | None:
        return explained(error, self.shown)

    def folders(self) -> list[Path]:
        return [self.path.parent]

    def files(self) -> Iterator[Path]:
        yield from (self.path, Path(f"{self.path}.wal"), self.lock.path)


def make_folder(folder: Path) -> None:
    """Create a folder that the warehouse needs. Raises WarehouseUnavailable if it cannot be created or written to."""
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
