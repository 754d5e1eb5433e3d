"""Dumps of PostgreSQL databases, by PostgreSQL's own pg_dump and pg_restore.

Here: `dump`, `restore`, `is_empty`. Keep out: which databases (__init__.py).
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from orgdata_dagster.cli.errors import UserError
from orgdata_dagster.http import redaction

_PASSWORD = "PGPASSWORD"


def dump(address: str, file: Path) -> None:
    """Write a consistent dump of a database to a file. Raises UserError if that fails."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _run(["pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={file}"], address)


def restore(address: str, file: Path) -> None:
    """Replace the tables of a database with those of a dump, in one transaction. Raises UserError if that fails."""
    options = ["--clean", "--if-exists", "--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error"]
    _run(["pg_restore", *options, str(file)], address)


def is_empty(address: str) -> bool:
    """Whether a database has no tables. Raises UserError if it cannot be queried."""
    text = "SELECT count(*) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
    return _run(["psql", "--no-psqlrc", "--tuples-only", f"--command={text}"], address).strip() == "0"


def _run(command: Sequence[str], address: str) -> str:
    """Run a program of PostgreSQL on a database.

    The password goes into the environment, because the process list shows command lines.
    """
    from psycopg.conninfo import conninfo_to_dict, make_conninfo

    parameters = {name: str(value) for name, value in conninfo_to_dict(address).items() if value is not None}
    password = parameters.pop("password", os.environ.get(_PASSWORD, ""))
    redaction.register(password)
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
        database = parameters.get("dbname", "the database")
        raise UserError(redaction.redact(f"{command[0]} failed for {database}: {message}"))
    return done.stdout
