"""The warehouse's URI: the kind of warehouse, and its options.

Here: `storage_of`. Add here: another scheme. Keep out: opening it (connection.py).

    /srv/warehouse.duckdb                                         a DuckDB file
    ducklake:catalog.ducklake                                     a lake, its catalog a DuckDB file
    ducklake:sqlite:catalog.sqlite?DATA_PATH=/srv/lake            a lake, its catalog a SQLite file
    ducklake:postgres:dbname=lake host=db?DATA_PATH=s3://b/lake   a lake, its catalog on PostgreSQL
    md:name                                                       a database at MotherDuck
"""

from __future__ import annotations

import re
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from urllib.parse import unquote

from orgdata_dagster.warehouse.errors import WarehouseUnavailable
from orgdata_dagster.warehouse.storage.catalogs import LakeCatalog, LocalCatalog
from orgdata_dagster.warehouse.storage.duckdb_file import DuckDBFile
from orgdata_dagster.warehouse.storage.lake import DATA_PATH, OPTIONS, Lake
from orgdata_dagster.warehouse.storage.motherduck import MotherDuck
from orgdata_dagster.warehouse.storage.storage import Storage

VARIABLE = "ORGDATA_WAREHOUSE"
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(?=:)")
_KINDS = (
    "Set it to the path of a DuckDB file, or to ducklake:FILE, ducklake:sqlite:FILE, ducklake:postgres:CONNECTION or "
    "md:NAME"
)


def storage_of(uri: str, *, base: Callable[[], Path], scratch: Path) -> Storage:
    """The warehouse at a URI.

    base: called for the folder of relative paths.
    scratch: a folder for locks of databases that are not on this machine.

    Raises WarehouseUnavailable if the URI is malformed. No message contains a part of it that may be a password.
    """
    scheme = found.group().lower() if (found := _SCHEME.match(uri)) else None
    rest = uri.partition(":")[2]
    if scheme is None:
        return DuckDBFile(_path(uri, base))
    if scheme == "ducklake":
        return _lake(rest, base)
    if scheme == "md":
        if not rest:
            raise WarehouseUnavailable(f"{VARIABLE}: the name of the database is missing. {_KINDS}.")
        return MotherDuck(rest, scratch=scratch)
    hint = " (did you mean ducklake:postgres:...?)" if scheme.startswith("postgres") else ""
    raise WarehouseUnavailable(f"{VARIABLE}: {scheme}:... is not supported{hint}. {_KINDS}.")


def _lake(text: str, base: Callable[[], Path]) -> Lake:
    text, options = _options(text)
    if place := options.get(DATA_PATH):
        options[DATA_PATH] = place if "://" in place else str(_path(place, base))
    return Lake(_catalog(text, options.get("METADATA_SCHEMA", "public"), base), options)


def _catalog(text: str, schema: str, base: Callable[[], Path]) -> LakeCatalog:
    kind = found.group().lower() if (found := _SCHEME.match(text)) else None
    rest = text.partition(":")[2] if kind else text
    if kind == "postgresql":  # ducklake:postgresql://..., without `postgres:`
        kind, rest = "postgres", text
    if kind == "postgres":
        from orgdata_dagster.warehouse.storage.postgres_catalog import PostgresCatalog

        return PostgresCatalog(text if rest.startswith("//") else rest, schema=schema)
    if kind not in (None, "sqlite"):
        raise WarehouseUnavailable(f"{VARIABLE}: a lake's catalog cannot be {kind}:.... {_KINDS}.")
    if not rest:
        raise WarehouseUnavailable(f"{VARIABLE}: the file of the lake's catalog is missing. {_KINDS}.")
    return LocalCatalog(_path(rest, base), sqlite=kind == "sqlite")


def _options(text: str) -> tuple[str, dict[str, str]]:
    """Split `catalog?NAME=value&...`. Other names belong to the catalog, whose URI may have a `?` of its own.

    The last `?` counts, because there may be one in a password.
    """
    before, mark, after = text.rpartition("?")
    if not mark:
        return text, {}
    options, others = dict[str, str](), list[str]()
    for part in after.split("&"):
        name, equals, value = part.partition("=")
        if name.upper() in OPTIONS and equals:
            options[name.upper()] = unquote(value)
        elif close := get_close_matches(name.upper(), OPTIONS, n=1, cutoff=0.8):
            raise WarehouseUnavailable(f"{VARIABLE}: unknown option {name}; did you mean {close[0]}=...?")
        else:
            others.append(part)
    if others and not before.lower().startswith("postgres"):
        unknown = ", ".join(part.partition("=")[0] for part in others)
        raise WarehouseUnavailable(f"{VARIABLE}: unknown option {unknown} of a lake; known are {', '.join(OPTIONS)}.")
    return before + (f"?{'&'.join(others)}" if others else ""), options


def _path(text: str, base: Callable[[], Path]) -> Path:
    try:
        path = Path(text).expanduser()
        return path if path.is_absolute() else base() / path
    except RuntimeError:
        raise WarehouseUnavailable(f"{VARIABLE}: {text!r} names an unknown user; write the full path.") from None
