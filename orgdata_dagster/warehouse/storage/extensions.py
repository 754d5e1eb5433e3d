"""DuckDB's extensions: loading them from Python wheels, or from DuckDB's own server.

Here: `load`. Keep out: which extensions a warehouse needs (lake.py, motherduck.py).

The wheels `duckdb-extension-*` (extra `orgdata[lake]`) contain the extension for one version of DuckDB. Without a
matching wheel, DuckDB downloads the extension once and keeps it in the user's home folder.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

import duckdb

from orgdata_dagster.warehouse.errors import WarehouseUnavailable
from orgdata_dagster.warehouse.names import literal
from orgdata_dagster.warehouse.storage.causes import first_line

WHEELS = ("ducklake", "postgres_scanner", "sqlite_scanner", "httpfs", "aws")  # those of the extra `lake`


def load(
    connection: duckdb.DuckDBPyConnection,
    names: Iterable[str],
    *,
    why: str,
    instead: str = ", or set ORGDATA_WAREHOUSE to the path of a DuckDB file",
) -> None:
    """Load extensions into the connection's DuckDB instance. Extensions that are loaded already cost nothing.

    why: the part of the product that needs them, for the error message.
    instead: what to do without them, for the end of the message.

    Raises WarehouseUnavailable if one can neither be found nor downloaded.
    """
    for name in names:
        try:
            if file := wheel_of(name):
                connection.execute(f"LOAD {literal(str(file))}")
            else:
                _load_installed(connection, name)
        except duckdb.Error as error:
            extra = (
                f"install the wheels with `pip install 'orgdata[lake]'` (they need DuckDB 1.5.5, this is "
                f"{duckdb.__version__}), or "
                if name in WHEELS
                else ""
            )
            raise WarehouseUnavailable(
                f"{why} needs DuckDB's extension {name}, which is not installed and cannot be downloaded from here "
                f"({first_line(error)[:200]}): {extra}let this machine reach DuckDB's extension server "
                f"once{instead}."
            ) from None


def wheel_of(name: str) -> Path | None:
    """The file of an extension in an installed wheel for this version of DuckDB; None if there is none."""
    found = find_spec(f"duckdb_extension_{name}")
    for folder in (found.submodule_search_locations or ()) if found else ():
        file = Path(folder) / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"
        if file.exists():
            return file
    return None


def _load_installed(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    try:
        connection.execute(f"LOAD {name}")
    except duckdb.Error:
        connection.execute(f"INSTALL {name}; LOAD {name}")
