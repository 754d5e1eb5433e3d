"""Dumps of PostgreSQL databases, by PostgreSQL's own pg_dump and pg_restore.

Here: the tables of each part, `dump`, `restore`, and whether the shared state was used. Keep out: which parts a project
has (__init__.py).

A database may contain several parts, other lakes, and tables of other programs. A part is therefore a list of tables.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orgdata_dagster.cli.errors import UserError
from orgdata_dagster.http import redaction
from orgdata_dagster.state.postgres_address import parsed
from orgdata_dagster.warehouse.names import quoted

_PASSWORD = "PGPASSWORD"
_TABLES = "SELECT '--table=' || quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables WHERE "
_OF_DAGSTER = rf"{_TABLES} schemaname = current_schema() AND tablename NOT LIKE 'ducklake\_%'"
_OF_LAKE = rf"{_TABLES} schemaname = %s AND tablename LIKE 'ducklake\_%%'"
# the processes that hold a lock, and their locks, are not those of the machine that restores the dump
_OF_STATE = (
    "--schema=orgdata_state", "--schema=orgdata_state_*",
    "--exclude-table-data=orgdata_state.process", "--exclude-table-data=orgdata_state.lock",
)  # fmt: skip
_HAS_SCHEMA = "SELECT 1 FROM pg_namespace WHERE nspname = %s"
_RATE_LIMITS = r"SELECT 1 FROM pg_namespace WHERE nspname LIKE 'orgdata\_state\_%'"
_IN_USE = (
    "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'orgdata %' "
    "AND pid <> pg_backend_pid()"
)


@dataclass(frozen=True)
class Database:
    """A part of the project in a PostgreSQL database.

    address: a URL, or libpq's keywords.
    part: `dagster`, `state` or `lake`.
    schema: the schema of the lake's tables.
    """

    address: str
    part: str
    schema: str = ""

    @property
    def selection(self) -> Sequence[str]:
        """The options of pg_dump that select the part's tables."""
        if self.part == "state":
            return _OF_STATE
        rows = _query(self.address, _OF_LAKE, self.schema) if self.schema else _query(self.address, _OF_DAGSTER)
        return [str(option) for (option,) in rows]


def libpq_address(url: str) -> str:
    """A URL of SQLAlchemy as libpq's keywords. It may name a driver, and its password may contain `/`."""
    from psycopg.conninfo import make_conninfo
    from sqlalchemy.engine import make_url

    found = make_url(url)
    named = found.translate_connect_args(username="user", database="dbname")
    return make_conninfo("", **{name: str(value) for name, value in {**found.query, **named}.items()})


def dump(database: Database, file: Path) -> None:
    """Write a consistent dump of a part to a file, unless it has no tables yet. Raises UserError if that fails."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    options = ["--format=custom", "--no-owner", "--no-privileges", f"--file={file}"]
    if selection := database.selection:
        _run(["pg_dump", *options, *selection], database.address)


def restore(database: Database, file: Path) -> None:
    """Replace the tables of a part with those of a dump, in one transaction. Raises UserError if that fails."""
    if not file.exists():
        return
    if database.schema and not _query(database.address, _HAS_SCHEMA, database.schema):
        _query(database.address, f"CREATE SCHEMA {quoted(database.schema)}")
    options = ["--clean", "--if-exists", "--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error"]
    _run(["pg_restore", *options, str(file)], database.address)


def restore_unused_state(address: str, file: Path) -> None:
    """Restore the shared state if there are no notes, no rate limits and no other processes in it.

    Call this before this process uses the state, which creates its tables. Raises UserError if that fails.
    """
    if _query(address, _RATE_LIMITS) or _query(address, _IN_USE):
        return
    [(notes,)] = _query(address, "SELECT to_regclass('orgdata_state.note')::text")
    if notes and _query(address, "SELECT 1 FROM orgdata_state.note LIMIT 1"):
        return
    _query(address, "DROP SCHEMA IF EXISTS orgdata_state CASCADE")
    restore(Database(address, "state"), file)


def _query(address: str, statement: str, *parameters: str) -> list[tuple[Any, ...]]:
    """The rows of a statement. Raises UserError if it fails."""
    import psycopg

    where = _parameters(address)
    try:
        with psycopg.connect(autocommit=True, **{**where, "client_encoding": "UTF8"}) as connection:  # type: ignore[arg-type]
            found = connection.execute(statement.encode(), parameters or None)
            return found.fetchall() if found.description else []
    except psycopg.Error as error:
        message = " ".join(str(error).split())
        raise UserError(redaction.redact(f"cannot query {_named(where)}: {message}")) from None


def _run(command: Sequence[str], address: str) -> None:
    """Run a program of PostgreSQL on a database.

    The password goes into the environment, because the process list shows command lines.
    """
    from psycopg.conninfo import make_conninfo

    parameters = _parameters(address)
    password = parameters.pop("password", os.environ.get(_PASSWORD, ""))
    environment = {**os.environ, **({_PASSWORD: password} if password else {})}
    connection = f"--dbname={make_conninfo('', **parameters)}"
    try:
        done = subprocess.run(
            [*command, connection],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except FileNotFoundError:
        raise UserError(
            f"{command[0]} is missing: install PostgreSQL's client programs, of the server's version"
        ) from None
    if done.returncode:
        message = " ".join(done.stderr.split())
        raise UserError(redaction.redact(f"{command[0]} failed for {_named(parameters)}: {message}"))


def _parameters(address: str) -> dict[str, str]:
    try:
        parameters = parsed(address)
    except ValueError:
        raise UserError(
            "the address of the shared state's database is not valid: write postgresql://USER@HOST:5432/DATABASE, with "
            "characters such as @, / and % in a password escaped as %40, %2F and %25"
        ) from None
    redaction.register(parameters.get("password", os.environ.get(_PASSWORD, "")))
    return parameters


def _named(parameters: dict[str, str]) -> str:
    return parameters.get("dbname", "the database")
