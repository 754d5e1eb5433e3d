"""A database at MotherDuck (`md:name`).

Here: `MotherDuck`. It follows MotherDuck's documentation and has never been run. Keep out: tokens, because MotherDuck's
extension reads `motherduck_token` from the environment.

The lock applies to writers of this machine only: two machines must not write to the same tables at once. The database
has to exist. Connections use its own name, because MotherDuck does not allow an alias.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import duckdb

from orgdata_dagster.warehouse.errors import WarehouseError
from orgdata_dagster.warehouse.names import literal
from orgdata_dagster.warehouse.storage import extensions
from orgdata_dagster.warehouse.storage.causes import explained
from orgdata_dagster.warehouse.storage.local_lock import LocalLock
from orgdata_dagster.warehouse.storage.storage import Confirm, Storage


class MotherDuck(Storage):
    """A database at MotherDuck. `database`: its name, without `md:`. `scratch`: the folder for the lock."""

    consistent = False

    def __init__(self, database: str, *, scratch: Path) -> None:
        self.shown = f"md:{database}"
        self.alias = database
        self.lock = LocalLock(scratch / f"{hashlib.sha256(self.shown.encode()).hexdigest()[:16]}.lock")

    @property
    def exists(self) -> bool:
        return True

    def make_ready(self) -> None:
        """No-op: MotherDuck needs no folder."""

    def load(self, connection: duckdb.DuckDBPyConnection) -> None:
        extensions.load(connection, ("motherduck",), why=f"The warehouse {self.shown}")

    def attach(self, connection: duckdb.DuckDBPyConnection, alias: str, *, read_only: bool) -> None:  # noqa: ARG002
        connection.execute(f"ATTACH {literal(self.shown)}")

    def locked(
        self, *, shared: bool, waiting: Callable[[], None], patience: float | None
    ) -> AbstractContextManager[Confirm]:
        return nullcontext(lambda: None) if shared else self.lock.held(shared=False, waiting=waiting, patience=patience)

    def holders(self) -> str:
        return self.lock.holders()

    def writer(self) -> str:
        return self.lock.writer()

    def explained(self, error: duckdb.Error) -> WarehouseError | None:
        return explained(error, self.shown)
