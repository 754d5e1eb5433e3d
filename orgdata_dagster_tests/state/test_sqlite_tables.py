"""The file that processes share loses no write, however many connections to it a process has."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

from orgdata_dagster.state import Transaction
from orgdata_dagster.state.sqlite_tables import SqliteTables

SCHEMA = "CREATE TABLE IF NOT EXISTS note (writer TEXT NOT NULL);"
ANOTHER_PROCESS = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("INSERT INTO note VALUES ('another process')")
connection.commit()
connection.close()
"""


def note(store: SqliteTables, writer: str) -> None:
    def write(transaction: Transaction) -> None:
        transaction.execute("INSERT INTO note VALUES (:writer)", {"writer": writer})

    store.run(write)


def test_a_second_connection_does_not_release_the_locks_of_the_first(tmp_path: Path) -> None:
    """A process that opened and closed the file itself lost SQLite's locks: 136 instead of 120 requests per minute."""
    path = tmp_path / "vendor.sqlite"
    first = SqliteTables(path, SCHEMA)
    note(first, "first")
    note(SqliteTables(path, SCHEMA), "second")
    subprocess.run([sys.executable, "-c", ANOTHER_PROCESS, str(path)], check=True)
    note(first, "first again")
    with sqlite3.connect(path) as connection:
        written = [row[0] for row in connection.execute("SELECT writer FROM note ORDER BY rowid")]
    assert written == ["first", "second", "another process", "first again"]


def test_only_its_owner_can_read_the_file(tmp_path: Path) -> None:
    path = tmp_path / "vendor.sqlite"
    note(SqliteTables(path, SCHEMA), "first")
    assert [file.stat().st_mode & 0o077 for file in tmp_path.iterdir()] == [0] * len(list(tmp_path.iterdir()))
