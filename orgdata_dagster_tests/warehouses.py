"""Which kind of warehouse the tests use: a DuckDB file, a lake on SQLite, or a lake on PostgreSQL.

Here: `location`. ORGDATA_TEST_WAREHOUSE chooses the kind for a whole session (`make test-growth` runs all); a test that
is about a kind names it. Keep out: the server (postgres.py).
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orgdata_dagster_tests.postgres import Server

VARIABLE = "ORGDATA_TEST_WAREHOUSE"
FILE, SQLITE, POSTGRES = KINDS = ("file", "sqlite", "postgres")
KIND = os.environ.get(VARIABLE) or FILE
LAKES = (SQLITE, POSTGRES)

servers: list[Server] = []  # the session's, if it needs one (conftest.py)


def need_lakes() -> None:
    """Skip the test where the wheels of the extra `lake` are not installed. In CI they have to be."""
    from orgdata_dagster.warehouse.storage.extensions import wheel_of  # slow, and every session imports this module

    if os.environ.get("CI") or all(map(wheel_of, ("ducklake", "postgres_scanner", "sqlite_scanner"))):
        return
    pytest.skip("the extra `lake` is not installed, or not for this version of DuckDB: pip install -e '.[dev]'")


def location(folder: Path, kind: str = KIND) -> str:
    """The URI of a new warehouse of this kind, in this folder as far as it is local."""
    assert kind in KINDS, f"{VARIABLE}: {kind!r} is not one of {', '.join(KINDS)}"
    if kind == FILE:
        return str(folder / "warehouse.duckdb")
    if kind == SQLITE:
        return f"ducklake:sqlite:{folder}/catalog.sqlite?DATA_PATH={folder}/lake"
    [server] = servers
    return f"ducklake:postgres:{server.keywords(server.new_database())}?DATA_PATH={folder}/lake"


def fewer_on_a_lake(number: int) -> int:
    """How often a test repeats itself: a third on a lake, where a commit takes up to ten times as long."""
    return number if KIND == FILE else max(3, number // 3)


def variable(folder: Path) -> str:
    """ORGDATA_WAREHOUSE for a home in this folder; "": its own file."""
    return "" if KIND == FILE else location(folder)


only_files = pytest.mark.skipif(KIND != FILE, reason="about a file that other programs have open")
