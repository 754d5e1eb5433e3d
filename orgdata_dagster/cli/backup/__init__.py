"""`orgdata backup` and `orgdata restore`: warehouse, shared state and Dagster's storage, consistent with each other.

Here: the parts of a backup, and its description (backup.json).
Keep out: making one (making.py), restoring one (restoring.py), copies of files (copying.py) and of PostgreSQL databases
(dumps.py).

A backup is a folder:

    backup.json       time, version, kinds of storage, the number of rows per table, the checksum of each file
    home/             ORGDATA_HOME: Dagster's storage and the shared state, if they are files
    warehouse/        the DuckDB file; or the files of a lake, and its catalog if that is a file
    postgres/         dumps of Dagster's storage, the shared state and the lake's catalog, if they are on PostgreSQL
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import duckdb

from orgdata_dagster import settings
from orgdata_dagster.cli.backup.dumps import Database, libpq_address
from orgdata_dagster.cli.errors import UserError
from orgdata_dagster.orchestration.instance.setup import shared_instance
from orgdata_dagster.warehouse.names import TableName
from orgdata_dagster.warehouse.storage.catalogs import LocalCatalog
from orgdata_dagster.warehouse.storage.connection import Warehouse
from orgdata_dagster.warehouse.storage.duckdb_file import DuckDBFile
from orgdata_dagster.warehouse.storage.lake import DATA_PATH, Lake
from orgdata_dagster.warehouse.storage.postgres_catalog import PostgresCatalog

HOME, WAREHOUSE, POSTGRES = "home", "warehouse", "postgres"
_DESCRIPTION = "backup.json"
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Description:
    """The content of backup.json.

    made_at: ISO 8601, UTC.
    orgdata: the version that made the backup.
    warehouse: `file` or `lake`.
    databases: the parts that are dumps of PostgreSQL databases.
    rows: table -> number of rows, `_orgdata` included.
    files: path in the folder -> SHA-256.
    """

    made_at: str
    orgdata: str
    warehouse: str
    databases: list[str]
    rows: Mapping[str, int]
    files: Mapping[str, str]

    def write(self, folder: Path) -> None:
        """Write backup.json. It is written last: a folder without it is not a complete backup."""
        (folder / _DESCRIPTION).write_text(json.dumps(asdict(self), indent=2) + "\n")

    @classmethod
    def read(cls, folder: Path) -> Description:
        """Read backup.json. Raises UserError if the folder is not a complete backup."""
        try:
            return cls(**json.loads((folder / _DESCRIPTION).read_text()))
        except (OSError, ValueError, TypeError):
            raise UserError(
                f"{folder} is not a complete backup: it has no valid {_DESCRIPTION}, which `orgdata backup` writes last"
            ) from None

    def check(self, folder: Path) -> None:
        """Raise UserError if a file is missing or differs from its checksum."""
        for name, digest in self.files.items():
            if not (folder / name).is_file() or checksum(folder / name) != digest:
                raise UserError(f"the backup {folder} is damaged: {name} is missing or was changed; use another one")


def checksum(file: Path) -> str:
    """The file's SHA-256."""
    found = hashlib.sha256()
    with file.open("rb") as source:
        while chunk := source.read(_CHUNK):
            found.update(chunk)
    return found.hexdigest()


def checksums(folder: Path) -> dict[str, str]:
    """Path -> SHA-256 of every file below the folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): checksum(path) for path in files}


def kind(warehouse: Warehouse) -> Literal["file", "lake"]:
    """The kind of warehouse. Raises UserError for a kind that cannot be backed up."""
    storage = warehouse.storage
    if isinstance(storage, DuckDBFile):
        return "file"
    if isinstance(storage, Lake):
        return "lake"
    raise UserError(f"{warehouse.uri} cannot be backed up by orgdata: use the backups of its provider")


def local_parts(warehouse: Warehouse) -> dict[str, Path]:
    """Name in the backup -> the file or folder of the warehouse on this machine.

    Raises UserError for a lake whose files are in an object store, which has its own versions or backups, or in a place
    that the URI does not name.
    """
    storage = warehouse.storage
    if isinstance(storage, DuckDBFile):
        return {"warehouse.duckdb": storage.path}
    assert isinstance(storage, Lake)
    uri = warehouse.uri
    if storage.store:
        raise UserError(
            f"the files of {uri} are in an object store, which orgdata neither backs up nor restores: back up the "
            f"catalog first, then {storage.store.bucket}, each by its own means"
        )
    if storage.folder is None:
        raise UserError(f"only its catalog knows where the files of {uri} are: add {DATA_PATH} to {settings.WAREHOUSE}")
    catalog = storage.catalog
    return {"data": storage.folder, **({"catalog": catalog.file} if isinstance(catalog, LocalCatalog) else {})}


def databases(warehouse: Warehouse) -> dict[str, Database]:
    """Part (`dagster`, `state`, `lake`) -> the tables of the project on PostgreSQL.

    Raises UserError if Dagster's storage is in files outside the home, because a backup would not contain them.
    """
    found = list[Database]()
    with shared_instance() as instance:
        if address := getattr(instance.event_log_storage, "postgres_url", None):
            found.append(Database(libpq_address(str(address)), "dagster"))
        elif not Path(instance.root_directory).resolve().is_relative_to(settings.home().resolve()):
            raise UserError(
                f"Dagster's storage is in {instance.root_directory}, outside {settings.HOME}, and would not be part of "
                f"the backup: unset {settings.DAGSTER_HOME}, or keep Dagster's storage on PostgreSQL"
            )
    if uri := settings.state_uri():
        found.append(Database(uri, "state"))
    catalog = getattr(warehouse.storage, "catalog", None)
    if isinstance(catalog, PostgresCatalog):
        found.append(Database(catalog.address, "lake", schema=catalog.schema))
    return {each.part: each for each in found}


def rows_of(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Table -> number of its rows."""
    found = connection.execute(
        "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = current_database() ORDER BY ALL"
    ).fetchall()
    rows = {}
    for table in (TableName(*name) for name in found):
        counted = connection.execute(f"SELECT count(*) FROM {table.sql}").fetchone()
        rows[str(table)] = int(counted[0]) if counted else 0
    return rows
