"""`orgdata query`: the result of one SELECT on the warehouse, without loss.

Here: running the statement, and its errors as one line. Add here when: another kind of statement is allowed.
Keep out: the formats of the result (formats.py), and the table for a terminal (table.py).

The result is copied into memory (or DuckDB's spill files) while the warehouse is locked. It is printed after the lock
has been released, so that a pager does not keep writers waiting.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb

from orgdata_dagster.cli.errors import UserError
from orgdata_dagster.orchestration import opening
from orgdata_dagster.warehouse.catalog import columns_of
from orgdata_dagster.warehouse.names import TableName
from orgdata_dagster.warehouse.storage.connection import SCRATCH, Warehouse
from orgdata_dagster.warehouse.storage.memory import with_room

_RESULT = TableName("main", "orgdata_result")
# MULTI is the type of a PIVOT in DuckDB 2.0. Other statements of this type fail, because they cannot be a subquery.
_READS = {duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN, duckdb.StatementType.MULTI}
_PRAGMA = re.compile(r"\s*PRAGMA\s+(\w+)\s*(\(.*\))?\s*", re.IGNORECASE | re.DOTALL)
_LONGEST = 400  # characters of a hint such as a list of candidate functions


@dataclass(frozen=True)
class Result:
    """A result, as a table in `connection`.

    columns: name -> DuckDB type.
    rows: number of rows.
    """

    connection: duckdb.DuckDBPyConnection
    columns: dict[str, str]
    rows: int

    @property
    def table(self) -> str:
        """The table, quoted for SQL."""
        return f"{SCRATCH}.{_RESULT.sql}"


@contextmanager
def result_of(sql: str, warehouse: Warehouse | None = None) -> Iterator[Result]:
    """Run one statement that reads. The result can be read until the context ends.

    Raises UserError if the text is not exactly one valid statement that reads. Raises WarehouseError if the warehouse
    cannot be read.
    """
    table = f"{SCRATCH}.{_RESULT.sql}"
    opened = warehouse or opening.warehouse()
    with opened.scratch_connection() as connection:
        # so that Python variables cannot be queried as tables
        connection.execute("SET preserve_insertion_order = true; SET python_enable_replacements = false")

        lines_before = 0

        def run() -> None:
            nonlocal lines_before
            with opened.reading(connection):
                connection.execute(f"DROP TABLE IF EXISTS {table}")  # from an attempt with less memory
                kind, query = _checked(connection, sql)
                if kind == duckdb.StatementType.EXPLAIN:
                    rows = connection.execute(sql).fetchall()
                    connection.execute(f"CREATE TABLE {table} (explain_key VARCHAR, explain_value VARCHAR)")
                    connection.executemany(f"INSERT INTO {table} VALUES (?, ?)", rows)
                else:
                    lines_before = 1
                    connection.execute(f"CREATE TABLE {table} AS FROM (\n{query}\n)")

        try:
            with_room(connection, run)
            columns = columns_of(connection, _RESULT)
            found = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
        except duckdb.Error as error:
            raise UserError(f"the query failed: {error_line(error, lines_before)}") from None
        yield Result(connection, columns, found[0] if found else 0)


def error_line(error: duckdb.Error, lines_before: int = 0) -> str:
    """A database error as one line: the problem, hints such as similar names, and the position.

    lines_before: number of lines before the user's statement.
    """
    text, _, where = str(error).partition("\n\nLINE ")
    text = re.sub(r"^(?:[A-Z]\w*(?: \w+)? )?Error: ", "", text.strip())
    words = " ".join(text.split())
    words = words if len(words) <= _LONGEST else words[: _LONGEST - 1] + "…"
    return f"{words} ({_position(where, lines_before)})" if where else words


def _position(where: str, lines_before: int) -> str:
    """The position that DuckDB points to: `1: select x\\n          ^` is line 1, and the column above the caret."""
    line, _, caret = where.partition("\n")
    number, _, _ = line.partition(":")
    at = caret.find("^") - len(f"LINE {number}: ") + 1
    line_in_words = f"line {int(number) - lines_before}"
    return f"{line_in_words}, column {at}" if at > 0 else line_in_words


def _checked(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[duckdb.StatementType, str]:
    """Return the only statement of the text. Raises UserError if there is none, or several, or if it writes."""
    statements = connection.extract_statements(sql)
    if not statements:
        raise UserError('there is no statement; write one, such as orgdata query "select 1"')
    written = _written(statements)
    if len(written) > 1:
        raise UserError(f"these are {len(written)} statements; write one per command")
    kind, query = written[0].type, _without_end(written[0].query or sql)
    if kind == duckdb.StatementType.PRAGMA and (function := _table_function(connection, query)):
        return duckdb.StatementType.SELECT, function
    if kind not in _READS:
        raise UserError(
            f"{kind.name} is not allowed: the warehouse is read-only here, so write a SELECT. For a file, use --csv, "
            "--json or --parquet FILE"
        )
    return kind, query


def _table_function(connection: duckdb.DuckDBPyConnection, pragma: str) -> str | None:
    """The query that a PRAGMA stands for: DuckDB before 2.0 replaces it by that. None if it is another kind."""
    found = _PRAGMA.fullmatch(pragma)
    name = f"pragma_{found[1].lower()}" if found else ""
    known = "SELECT 1 FROM duckdb_functions() WHERE function_name = ? AND function_type = 'table'"
    if not found or not connection.execute(known, [name]).fetchall():
        return None
    return f"FROM {name}{found[2] or '()'}"


def _without_end(sql: str) -> str:
    """The statement without trailing semicolons and comments, so that it can stand in parentheses."""
    text = sql.encode()
    end = len(text)
    for at, kind in reversed(duckdb.tokenize(sql)):
        if kind != duckdb.token_type.comment and text[at : at + 1] != b";":
            break
        end = at
    return text[:end].decode()


def _written(statements: Sequence[duckdb.Statement]) -> Sequence[duckdb.Statement]:
    """The statements that the user wrote: DuckDB turns one PIVOT into several statements without text."""
    return statements[-1:] if all(not statement.query for statement in statements) else statements
