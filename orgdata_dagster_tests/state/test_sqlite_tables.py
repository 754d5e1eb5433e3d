"""The file that processes share keeps what each of them writes, however many connections a process has to it."""

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


def test_a_second_connection_of_a_process_costs_the_first_one_no_lock(tmp_path: Path) -> None:
    """A process that opened and closed the file itself lost SQLite's locks on it: 136 requests in a minute of 120."""
    path = tmp_path / "vendor.sqlite"
    first = SqliteTables(path, SCHEMA)
    note(first, "first")
    note(SqliteTables(path, SCHEMA), "second")
    subprocess.run([sys.executable, "-c", ANOTHER_PROCESS, str(path)], check=True)
    note(first, "first again")
    with sqlite3.connect(path) as connection:
        written = [row[0] for row in connection.execute("SELECT writer FROM note ORDER BY rowid")]
    assert written == ["first", "second", "another process", "first again"]


def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "vendor.sqlite"
    note(SqliteTables(path, SCHEMA), "first")
    assert [file.stat().st_mode & 0o077 for file in tmp_path.iterdir()] == [0] * len(list(tmp_path.iterdir()))
