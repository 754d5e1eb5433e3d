"""Inserting the rows of staged pages into their table, inside the commit's transaction.

Here: `insert`. It casts the rows, adds our own columns, drops the rows outside their page's bounds (the rule is in
pages/partition_bounds.py) and checks that no other row is missing.
Add here: a check of inserted rows that applies to every write disposition.
Keep out: which stored rows are deleted (transaction.py, merging.py), the type and the cast of each column
(evolution.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import duckdb

from orgdata_dagster.warehouse.commit import evolution
from orgdata_dagster.warehouse.errors import RowCountMismatch, UnreadablePage
from orgdata_dagster.warehouse.names import LOADED_AT, PARTITION, RUN_ID, VARIANT, TableName, folded, literal, quoted
from orgdata_dagster.warehouse.pages.parser_errors import parser_message
from orgdata_dagster.warehouse.pages.partition_bounds import within_sql
from orgdata_dagster.warehouse.pages.stage import Group, Stage


class Provenance(NamedTuple):
    """The values of our own columns that state the origin of a row: the commit's time and its run."""

    now: datetime
    run_id: str


class TypeSurprise(Exception):
    """A value does not fit the type inferred from a sample. The transaction has failed."""


def insert(
    connection: duckdb.DuckDBPyConnection,
    table: TableName,
    stage: Stage,
    group: Group,
    planned: evolution.Evolution,
    provenance: Provenance | None,
) -> int:
    """Insert the rows of a group's pages; returns their number.

    provenance: the values of our own columns; None inserts rows without these columns.

    Raises TypeSurprise if a value does not fit a type inferred from a sample, UnreadablePage if a page is malformed,
    and RowCountMismatch if rows are missing or too many.
    """
    sent = {folded(name) for name in (*group.columns, *group.constants, *group.own)}
    casts = {
        name: cast
        for name, cast in planned.casts.items()
        if folded(name) in sent or folded(name.removesuffix(VARIANT)) in sent
    }
    values = [f"{cast} AS {quoted(name)}" for name, cast in casts.items()]
    if provenance is not None:
        values.append(f"_orgdata_key AS {PARTITION}, {origin_columns()}")
    bounded = _is_bounded(group)
    kept = within_sql("_orgdata_at", "_orgdata_after", "_orgdata_until") if bounded else "true"
    cursor = stage.cursor_in(group.columns)
    at = f"{_at(cursor)}, " if bounded else ""
    rows = _placed(connection, group, at + _converted(planned, group.columns), _converted(planned, group.constants))
    statement = f"INSERT INTO {table.sql} BY NAME SELECT {', '.join(values)} FROM {rows} WHERE {kept}"
    try:
        row = connection.execute(statement, provenance or ()).fetchone()
    except duckdb.InvalidInputException as error:
        if evolution.SURPRISE not in str(error):
            raise UnreadablePage(f"a page is not well-formed: {parser_message(error)}") from None
        if stage.exact:
            raise
        raise TypeSurprise from None
    inserted = int(row[0]) if row else 0
    _check_count(connection, table, group, cursor, inserted, kept=kept)
    return inserted


def origin_columns() -> str:
    """SQL of our own columns except the partition. A Provenance provides the parameters."""
    return f"CAST(? AS TIMESTAMPTZ) AS {LOADED_AT}, ? AS {RUN_ID}"


def _converted(planned: evolution.Evolution, columns: Sequence[str]) -> str:
    """SQL of the conversions of these columns. They belong below the join, where they are computed once per row."""
    here = {folded(name) for name in columns}
    wanted = [(name, value) for name, value in planned.converted.items() if folded(name) in here]
    return "".join(f"{value} AS {quoted(evolution.CONVERTED + name)}, " for name, value in wanted)


def _is_bounded(group: Group) -> bool:
    """Whether some rows of a group may be outside their page's bounds."""
    return any(staged.bounded for staged in group.pages)


def _at(cursor: str | None) -> str:
    return f"TRY_CAST({quoted(cursor or '')} AS TIMESTAMPTZ) AS _orgdata_at"


def _placed(connection: duckdb.DuckDBPyConnection, group: Group, of_rows: str = "", of_places: str = "") -> str:
    """SQL of the rows of a group, each with the partition, the bounds and the constants of its page.

    of_rows: SQL of more columns per row, each followed by a comma.
    of_places: SQL of more columns per page, each followed by a comma.
    """
    # a vendor may have columns `path` and `after`, but none with our prefix
    types = {
        "_orgdata_path": "VARCHAR",
        "_orgdata_key": "VARCHAR",
        "_orgdata_after": "TIMESTAMPTZ",
        "_orgdata_until": "TIMESTAMPTZ",
    } | dict.fromkeys(group.constants, "VARCHAR")
    bounded = _is_bounded(group)
    places = [
        (
            str(page.page.path),
            page.partition,
            page.after if bounded else None,
            page.until if bounded else None,
            *map(page.constants.get, group.constants),
        )
        for page in group.pages
    ]
    if len({place[1:] for place in places}) == 1:  # no join, which would keep all columns of the rows in memory again
        texts = ("NULL" if value is None else literal(str(value)) for value in places[0])
        here = (
            f"CAST({text} AS {kind}) AS {quoted(name)}" for text, (name, kind) in zip(texts, types.items(), strict=True)
        )
        return f"(SELECT {of_rows}{of_places}* FROM (SELECT *, {', '.join(here)} FROM {group.source}))"
    values = ", ".join(f"unnest(CAST(? AS {kind}[])) AS {quoted(name)}" for name, kind in types.items())
    columns = [list(column) for column in zip(*places, strict=True)]
    connection.execute(f"CREATE OR REPLACE TEMP TABLE places AS SELECT {values}", columns)
    return (
        f"(SELECT {of_rows}* FROM {group.source}) AS page "
        f"JOIN (SELECT {of_places}* FROM temp.main.places) AS place ON page._orgdata_file = place._orgdata_path"
    )


def _check_count(
    connection: duckdb.DuckDBPyConnection,
    table: TableName,
    group: Group,
    cursor: str | None,
    inserted: int,
    *,
    kept: str,
) -> None:
    """Check that each record in the pages' files was inserted or is outside its page's bounds.

    The records were counted in the files, not by the database: a row that the database's parser skips would be missing
    from both numbers.

    Raises RowCountMismatch.
    """
    expected = sum(staged.page.records for staged in group.pages)
    known = [staged.rows_within for staged in group.pages if staged.rows_within is not None]
    if len(known) == len(group.pages):
        expected = sum(known)
    elif kept != "true":
        outside = f"SELECT count(*) FROM {_placed(connection, group, f'{_at(cursor)}, ')} WHERE NOT ({kept})"
        row = connection.execute(outside).fetchone()
        expected -= row[0] if row else 0
    if inserted != expected:
        raise RowCountMismatch(
            f"{table}: {expected} rows of the pages belong here, but {inserted} were inserted; nothing was committed. "
            "Pull again; if it happens again, report the vendor's page."
        )
