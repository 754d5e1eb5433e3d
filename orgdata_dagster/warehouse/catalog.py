"""Queries on the database's catalog of tables and views.

Here: whether a table exists, and its columns. Add here: another query on the catalog.
Keep out: queries on rows, and changes (commit/).

Missing tables are found in the catalog, not by catching the error of a statement: DuckDB 2.0 aborts the transaction
when a statement fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from string import ascii_lowercase, ascii_uppercase
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import duckdb

from orgdata_dagster.warehouse.names import TableName, folded

T = TypeVar("T")
_known: WeakKeyDictionary[duckdb.DuckDBPyConnection, dict[str, Any]] = WeakKeyDictionary()


@contextmanager
def remembering(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Cache the answers of the catalog until the context ends. The catalog must not be changed in the meantime.

    The catalog describes all tables for each query, which takes milliseconds if there are hundreds of tables.
    """
    _known[connection] = {}
    try:
        yield
    finally:
        del _known[connection]


def known(connection: duckdb.DuckDBPyConnection, what: str, query: Callable[[], T]) -> T:
    """The answer of `query`. A truthy answer is cached; a falsy one is not, because a table may be created later."""
    answers = _known.get(connection, {})
    if what in answers:
        found: T = answers[what]
        return found
    if answer := query():
        answers[what] = answer
    return answer


def _folded(column: str) -> str:
    """SQL: `names.folded` of a column."""
    return f"translate({column}, '{ascii_uppercase}', '{ascii_lowercase}')"


# not information_schema.tables, which takes four times as long
_TABLES = "duckdb_tables()"
# duckdb_tables() of a lake asks the catalog for the size of every table: 160 ms instead of 2 for 20 tables
_TABLES_OF_LAKE = (
    "(SELECT database_name, schema_name, table_name, count(*) AS column_count FROM duckdb_columns() GROUP BY ALL)"
)
_KIND = "SELECT type FROM duckdb_databases() WHERE database_name = current_database()"


def tables(connection: duckdb.DuckDBPyConnection) -> str:
    """SQL of a relation with database_name, schema_name, table_name and column_count of every table.

    In a lake, the relation also includes views.
    """
    kind = known(connection, "kind", lambda: connection.execute(_KIND).fetchone())
    return _TABLES_OF_LAKE if kind == ("ducklake",) else _TABLES


def exists(connection: duckdb.DuckDBPyConnection, table: TableName) -> bool:
    """Whether there is a table or a view with this name."""
    name = [folded(table.schema), folded(table.name)]

    def found() -> bool:
        sql = " UNION ALL ".join(
            f"SELECT 1 FROM {relation} WHERE database_name = current_database() "
            f"AND {_folded('schema_name')} = ? AND {_folded(column)} = ?"
            for relation, column in ((tables(connection), "table_name"), ("duckdb_views()", "view_name"))
        )
        return connection.execute(sql, name * 2).fetchone() is not None

    return known(connection, _name_of(table), found)


def _name_of(table: TableName) -> str:
    return f"table {folded(table.schema)}.{folded(table.name)}"


def stored(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """The tables and views that exist, as folded `schema.name`."""
    every = " UNION ALL ".join(
        f"SELECT schema_name || '.' || {column} FROM {relation} WHERE database_name = current_database()"
        for relation, column in ((tables(connection), "table_name"), ("duckdb_views()", "view_name"))
    )
    return {folded(name) for (name,) in connection.execute(every).fetchall()}


def created(connection: duckdb.DuckDBPyConnection, table: TableName) -> None:
    """Remember that a table exists from now on."""
    known(connection, _name_of(table), lambda: True)


def table_columns(connection: duckdb.DuckDBPyConnection, table: TableName) -> dict[str, str]:
    """Column -> type of a table or view, in order; empty if it does not exist."""
    return columns_of(connection, table) if exists(connection, table) else {}


def columns_of(connection: duckdb.DuckDBPyConnection, table: TableName) -> dict[str, str]:
    """Column -> type of a table or view that is known to exist, in order.

    Cheaper than `table_columns`: the catalog's views describe every table of the database at each call.
    """
    described = connection.execute(f"SELECT * FROM {table.sql} LIMIT 0").description
    return {column[0]: str(column[1]) for column in described or ()}
