"""A lake's catalog on a PostgreSQL server, for any number of machines.

Here: `PostgresCatalog`. Keep out: the lock itself (advisory_lock.py).

Only writers take the lock. Readers see the lake as it was when they began, regardless of concurrent writers.

The password is passed to DuckDB as a secret and never in the URI, which DuckDB prints in its errors and lists in
`duckdb_databases()`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, suppress

import duckdb

from orgdata_dagster.state.postgres_address import SECRETS, parsed
from orgdata_dagster.warehouse.errors import WarehouseDisconnected, WarehouseError, WarehouseUnavailable
from orgdata_dagster.warehouse.names import literal
from orgdata_dagster.warehouse.storage import advisory_lock
from orgdata_dagster.warehouse.storage.catalogs import LakeCatalog
from orgdata_dagster.warehouse.storage.storage import Confirm

_SECRET = "orgdata_catalog"
_LOST = ("server closed the connection", "connection to server was lost", "terminating connection")
_EXISTS = "SELECT 1 FROM information_schema.tables WHERE table_schema = %s AND table_name = 'ducklake_metadata'"


class PostgresCatalog(LakeCatalog):
    """A catalog on a PostgreSQL server.

    dsn: libpq's connection string, as keywords or as `postgresql://...`. Missing parameters come from libpq's own
        variables and files: PGPASSWORD, PGSERVICE, PGPASSFILE and so on.
    schema: the schema of the lake's tables.

    Raises WarehouseUnavailable if the driver is missing or the string is malformed.
    """

    extensions = ("postgres_scanner",)
    readers_wait = False

    def __init__(self, dsn: str, *, schema: str) -> None:
        self._parameters = _parsed(dsn)
        self.schema = schema
        self._known = False
        self._password = self._parameters.get("password")
        self.secrets = tuple(self._parameters[name] for name in SECRETS if name in self._parameters)
        self.path = f"postgres:{_written({**advisory_lock.PATIENCE, **self._parameters}, without=SECRETS[:1])}"
        self.shown = f"postgres:{_written(self._parameters, without=SECRETS)}"

    @property
    def exists(self) -> bool:
        if not self._known:
            with advisory_lock.connected(self._parameters) as connection:
                self._known = connection.execute(_EXISTS, [self.schema]).fetchone() is not None
        return self._known

    @property
    def address(self) -> str:
        """The connection string with its password, for programs of PostgreSQL."""
        return _written(self._parameters, without=())

    def authenticate(self, connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
        if not self._password:
            return {}
        connection.execute(f"CREATE OR REPLACE SECRET {_SECRET} (TYPE postgres, PASSWORD {literal(self._password)})")
        return {"META_SECRET": literal(_SECRET)}

    def locked(
        self, *, shared: bool, waiting: Callable[[], None], patience: float | None
    ) -> AbstractContextManager[Confirm]:
        assert not shared, "readers need no lock"
        return advisory_lock.held(self._parameters, self._key, waiting=waiting, patience=patience)

    def holders(self) -> str:
        with suppress(WarehouseError):
            return " and ".join(advisory_lock.holders(self._parameters, self._key))
        return ""

    def writer(self) -> str:
        return self.holders()

    def explained(self, error: duckdb.Error) -> WarehouseError | None:
        text = " ".join(str(error).split())
        if found := re.search(r'Unable to connect to Postgres at ".*?": (.*)', text):
            return WarehouseDisconnected(
                f"Cannot connect to the warehouse's catalog {self.shown}: {found[1]}. See ORGDATA_WAREHOUSE, "
                "PGPASSWORD and PGSERVICE."
            )
        if "read-only transaction" in text:
            return WarehouseUnavailable(
                f"The warehouse's catalog {self.shown} is a replica, on which nothing can be written. Nothing was "
                "committed. Set ORGDATA_WAREHOUSE to the primary server; a replica is enough for reading."
            )
        if any(words in text for words in _LOST):
            return WarehouseDisconnected(
                f"The connection to the warehouse's catalog {self.shown} was lost. Nothing was committed unless the "
                "commit was under way: run this again."
            )
        return None

    @property
    def _key(self) -> int:
        """The number of the lock. PostgreSQL's locks are numbers per database, and a schema contains one lake."""
        return int.from_bytes(hashlib.sha256(f"orgdata lake {self.schema}".encode()).digest()[:8], signed=True)


def _parsed(dsn: str) -> dict[str, str]:
    try:
        return parsed(dsn)
    except ImportError:
        raise WarehouseUnavailable(f"A warehouse whose catalog is on PostgreSQL {advisory_lock.DRIVER}") from None
    except ValueError:
        raise WarehouseUnavailable(
            "ORGDATA_WAREHOUSE: the text after `ducklake:postgres:` is not a connection string. Write `dbname=lake "
            "host=db.example.com user=orgdata` or `postgresql://orgdata@db.example.com/lake`, with characters such as "
            "@, / and % in a password of a URL escaped as %40, %2F and %25."
        ) from None


def _written(parameters: dict[str, str], *, without: Collection[str]) -> str:
    """libpq's keywords, quoted where needed."""

    def quoted(value: str) -> str:
        if re.fullmatch(r"[^\s'\\]+", value):
            return value
        return "'" + value.replace("\\", r"\\").replace("'", r"\'") + "'"

    return " ".join(f"{name}={quoted(value)}" for name, value in parameters.items() if name not in without)
