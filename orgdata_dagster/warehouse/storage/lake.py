"""A lake: tables as Parquet files in a folder or an object store, described in a catalog (DuckLake).

Here: `Lake`. Keep out: the catalogs (catalogs.py, postgres_catalog.py), credentials of object stores
(object_store.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path

import duckdb

from orgdata_dagster.warehouse.errors import WarehouseDamaged, WarehouseError, WarehouseHeld, WarehouseUnavailable
from orgdata_dagster.warehouse.names import literal
from orgdata_dagster.warehouse.storage import extensions
from orgdata_dagster.warehouse.storage.catalogs import LakeCatalog
from orgdata_dagster.warehouse.storage.causes import explained, first_line
from orgdata_dagster.warehouse.storage.duckdb_file import make_folder
from orgdata_dagster.warehouse.storage.object_store import CHECK, ObjectStore, store_of
from orgdata_dagster.warehouse.storage.storage import Confirm, Storage
from orgdata_dagster.warehouse.types.parquet import changes

DATA_PATH = "DATA_PATH"
OPTIONS = (DATA_PATH, "METADATA_SCHEMA", "ENCRYPTED", "OVERRIDE_DATA_PATH", "AUTOMATIC_MIGRATION")
# Rows are never inlined into the catalog: a NUL character in a list makes such a commit fail, and a commit with many
# small inserts takes longer with inlining.
_ALWAYS = {"DATA_INLINING_ROW_LIMIT": "0"}
# Each commit adds a file per table, and each query reads the list of all files: 300 commits would triple its time.
MERGE_EVERY = 64  # commits
_SMALL = 4 << 20  # bytes; larger files are only merged by maintenance, so that their rows are not rewritten often
# DuckLake does not support these types; TIME_NS even breaks the DuckDB instance
_UNKNOWN = re.compile(r"\b(TIME_NS|BIT|ENUM|BIGNUM)\b|\[\d+\]")


class Lake(Storage):
    """A lake.

    catalog: the database that describes the tables.
    options: name -> value; the names are in OPTIONS.
    folder: the folder of the lake's files on this machine; None if they are in an object store, or if only the catalog
        knows the folder.
    store: the object store with the lake's files; None if they are in a folder, or if only the catalog knows it and
        the lake has not been attached yet.
    """

    def __init__(self, catalog: LakeCatalog, options: Mapping[str, str]) -> None:
        self.catalog = catalog
        self.options = dict(options)
        self.shown = f"ducklake:{catalog.shown}"
        self.consistent = catalog.readers_wait
        place = self.options.get(DATA_PATH) or str(catalog.default_data_path or "")
        self.store = store_of(place)
        self.folder = Path(place) if place and not self.store else None
        self.secrets = catalog.secrets

    @property
    def exists(self) -> bool:
        return self.catalog.exists

    def make_ready(self) -> None:
        self.catalog.make_ready()
        if self.folder:
            make_folder(self.folder)
        elif not self.store and not self.exists:
            raise WarehouseUnavailable(
                f"There is no lake in {self.shown} yet, and a new one needs a place for its files: add it to "
                f"ORGDATA_WAREHOUSE, for example ...?{DATA_PATH}=/srv/lake or ...?{DATA_PATH}=s3://bucket/lake."
            )

    def load(self, connection: duckdb.DuckDBPyConnection) -> None:
        # for an object store, which may be known to the catalog only, and for encryption
        http = not self.folder or self.options.get("ENCRYPTED", "").lower() == "true"
        needed = ("ducklake", *self.catalog.extensions, *(("httpfs",) if http else ()))
        extensions.load(connection, needed, why="A lake")
        # A writer that is not alone has lost the lock. A retry would commit beside the other writer's rows.
        connection.execute("SET GLOBAL ducklake_max_retry_count = 0")

    def attach(self, connection: duckdb.DuckDBPyConnection, alias: str, *, read_only: bool) -> None:
        if self.store:
            self.store.authenticate(connection)
        options = {name: _sql(value) for name, value in self.options.items()}
        if self.folder and not read_only:
            options[DATA_PATH] = literal(str(self.folder))
        options |= _ALWAYS | self.catalog.authenticate(connection)
        listed = ", ".join([*(["READ_ONLY"] if read_only else []), *(f"{name} {sql}" for name, sql in options.items())])
        connection.execute(f"ATTACH {literal(f'ducklake:{self.catalog.path}')} AS {alias} ({listed})")
        if not self.store and not self.folder:
            self.store = _known_to_the_catalog(connection, alias)

    def look(self, connection: duckdb.DuckDBPyConnection) -> None:
        if self.store:
            self.store.look(connection)

    def tidy(self, connection: duckdb.DuckDBPyConnection) -> None:
        alias = literal(self.alias)
        with suppress(duckdb.Error):  # the commit has succeeded, and maintenance will merge these files as well
            [(commits,)] = connection.execute(f"SELECT id FROM ducklake_current_snapshot({alias})").fetchall()
            if commits % MERGE_EVERY == 0:
                # the merge only takes effect when its result has been read completely
                connection.execute(f"FROM ducklake_merge_adjacent_files({alias}, max_file_size => {_SMALL})").fetchall()

    def locked(
        self, *, shared: bool, waiting: Callable[[], None], patience: float | None
    ) -> AbstractContextManager[Confirm]:
        return self.catalog.locked(shared=shared, waiting=waiting, patience=patience)

    def holders(self) -> str:
        return self.catalog.holders()

    def writer(self) -> str:
        return self.catalog.writer()

    def explained(self, error: duckdb.Error) -> WarehouseError | None:
        text = " ".join(str(error).split())
        if meant := self.catalog.explained(error):
            return meant
        if "creating a new DuckLake is explicitly disabled" in text:
            return WarehouseUnavailable(f"There is no lake in {self.shown} yet: pull something first.")
        if "DATA_PATH parameter" in text and "does not match" in text:
            return WarehouseUnavailable(
                f"The lake in {self.shown} has its files in another place than {DATA_PATH} says ({first_line(error)}). "
                f"Remove {DATA_PATH} from ORGDATA_WAREHOUSE, or add OVERRIDE_DATA_PATH=true if you moved the files."
            )
        if "Exceeded the maximum retry count" in text:
            return WarehouseUnavailable(
                f"Another writer has changed the lake in {self.shown} during this commit: a program that does not take "
                "orgdata's lock, or a process that took it after this one was suspended. Nothing was committed: run "
                "this again."
            )
        if "database is locked" in text:
            return WarehouseHeld(
                f"{self.holders() or 'another program'} holds the catalog {self.shown}: end it, or wait for its end, "
                "then run this again."
            )
        if self.store and (cause := self.store.cause(error)):
            return WarehouseUnavailable(
                f"The lake's files in {self.store.url} cannot be reached ({cause}). Nothing was committed. Check "
                f"{DATA_PATH} in ORGDATA_WAREHOUSE, and {CHECK}."
            )
        if re.search(r'Cannot open file ".*\.parquet"', text):
            return WarehouseDamaged(
                f"A file of the lake in {self.shown} cannot be opened ({first_line(error)[:300]}). {DATA_PATH} must be "
                "the same folder on every machine; a file that is really gone has to be restored from a backup."
            )
        return explained(error, self.shown)

    def folders(self) -> list[Path]:
        places = [self.folder, *(file.parent for file in self.catalog.files()[:1])]
        return list(dict.fromkeys(place for place in places if place and place.is_dir()))

    def files(self) -> Iterator[Path]:
        yield from self.catalog.files()
        if self.folder:
            yield self.folder

    def unusable(self, data_type: str) -> bool:
        return changes(data_type) or _UNKNOWN.search(data_type) is not None


def _known_to_the_catalog(connection: duckdb.DuckDBPyConnection, alias: str) -> ObjectStore | None:
    """The object store with the files of an attached lake whose URI has no DATA_PATH, with its credentials set."""
    [(place,)] = connection.execute(f"SELECT data_path FROM ducklake_settings({literal(alias)})").fetchall()
    if store := store_of(place):
        store.authenticate(connection)
    return store


def _sql(value: str) -> str:
    return value if value.lower() in ("true", "false") else literal(value)
