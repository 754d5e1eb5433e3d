"""Inserting staged pages into their table, typed, each row with its partition, and counted.

Here: `insert`, inside the commit's transaction. Add here: what must hold of inserted rows, whatever the disposition.
Keep out: which rows make room or stay (transaction.py, merging.py), the casts (evolution.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import duckdb

from orgdata_dagster.warehouse.commit import evolution
from orgdata_dagster.warehouse.errors import RowCountMismatch
from orgdata_dagster.warehouse.names import LOADED_AT, PARTITION, RUN_ID, VARIANT, TableName, folded, literal, quoted
from orgdata_dagster.warehouse.pages.stage import Group, Stage

# SQL: the row's instant is within the bounds of its page
_KEPT = (
    "(_orgdata_after IS NULL OR _orgdata_at > _orgdata_after) "
    "AND (_orgdata_until IS NULL OR _orgdata_at <= _orgdata_until)"
)


class Provenance(NamedTuple):
    """The values of our own columns that say where a row is from: the commit's time and its run."""

    now: datetime
    run_id: str


class TypeSurprise(Exception):
    """A value does not fit a guessed type; the transaction has failed."""


def insert(
    connection: duckdb.DuckDBPyConnection,
    table: TableName,
    stage: Stage,
    group: Group,
    planned: evolution.Evolution,
    provenance: Provenance | None,
) -> int:
    """Insert the rows of a group's pages, with our own columns if `provenance` is given; returns how many.

    Raises TypeSurprise where a guessed type does not hold a value, RowCountMismatch where rows are lost or too many.
    """
    sent = {folded(name) for name in (*group.columns, *group.constants)}
    casts = {
        name: cast
        for name, cast in planned.casts.items()
        if folded(name) in sent or folded(name.removesuffix(VARIANT)) in sent
    }
    values = [f"{cast} AS {quoted(name)}" for name, cast in casts.items()]
    if provenance is not None:
        values.append(f"_orgdata_key AS {PARTITION}, {origin_columns()}")
    bounded = any(staged.after or staged.until for staged in group.pages)
    kept = _KEPT if bounded else "true"
    cursor = stage.cursor_in(group.columns)
    at = f"{_at(cursor)}, " if bounded else ""
    rows = _placed(connection, group, at + _converted(planned, group.columns), _converted(planned, group.constants))
    statement = f"INSERT INTO {table.sql} BY NAME SELECT {', '.join(values)} FROM {rows} WHERE {kept}"
    try:
        row = connection.execute(statement, provenance or ()).fetchone()
    except duckdb.InvalidInputException as error:
        if evolution.SURPRISE in str(error) and not stage.exact:
            raise TypeSurprise from None
        raise
    inserted = int(row[0]) if row else 0
    _check_count(connection, table, group, cursor, inserted, kept=kept)
    return inserted


def origin_columns() -> str:
    """SQL: our own columns except the partition, with a Provenance as parameters."""
    return f"CAST(? AS TIMESTAMPTZ) AS {LOADED_AT}, ? AS {RUN_ID}"


def _converted(planned: evolution.Evolution, columns: Sequence[str]) -> str:
    """SQL: the conversions of these columns. They belong below the join, where they are computed once per row."""
    here = {folded(name) for name in columns}
    wanted = [(name, value) for name, value in planned.converted.items() if folded(name) in here]
    return "".join(f"{value} AS {quoted(evolution.CONVERTED + name)}, " for name, value in wanted)


def _at(cursor: str | None) -> str:
    return f"TRY_CAST({quoted(cursor or '')} AS TIMESTAMPTZ) AS _orgdata_at"


def _placed(connection: duckdb.DuckDBPyConnection, group: Group, of_rows: str = "", of_places: str = "") -> str:
    """SQL: the rows of a group, each with its place: whose it is, within which bounds, and the constants besides.

    `of_rows`, `of_places`: SQL of further columns, each followed by a comma, made of a row or of a page's place.
    """
    # a vendor may have columns `path` and `after`, but none with our prefix
    types = {
        "_orgdata_path": "VARCHAR",
        "_orgdata_key": "VARCHAR",
        "_orgdata_after": "TIMESTAMPTZ",
        "_orgdata_until": "TIMESTAMPTZ",
    } | dict.fromkeys(group.constants, "VARCHAR")
    places = [
        (str(page.page.path), page.partition, page.after, page.until, *map(page.constants.get, group.constants))
        for page in group.pages
    ]
    if len(places) == 1:  # without a join, which would hold all columns of the rows in memory again
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
    """Every record that was counted in the pages' files was inserted, or lies outside its page's part of the time line.

    What the database reads is never compared with what it reads: rows that its parser loses are lost both times.
    """
    expected = sum(staged.page.records for staged in group.pages)
    known = [staged.kept for staged in group.pages if staged.kept is not None]
    if len(known) == len(group.pages):
        expected = sum(known)
    elif kept != "true":
        outside = f"SELECT count(*) FROM {_placed(connection, group, f'{_at(cursor)}, ')} WHERE NOT ({_KEPT})"
        row = connection.execute(outside).fetchone()
        expected -= row[0] if row else 0
    if inserted != expected:
        raise RowCountMismatch(
            f"{table}: {expected} rows of the pages belong here, but {inserted} were inserted; nothing was committed. "
            "Pull again; if it happens again, report the vendor's page."
        )
