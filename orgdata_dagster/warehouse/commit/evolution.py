"""Schema evolution: the type of each column, the changes that a table needs so that staged rows fit, and the casts.

Here: `plan`, which only reads the table, and `apply`. Add here: rules of the contract (`evolve`, `freeze`).
Keep out: which values a type can hold (types/lossless.py for inferred types, types/declared.py for declared ones),
casting the rows (inserting.py), the transaction (transaction.py).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import duckdb

from orgdata_dagster.warehouse.catalog import table_columns
from orgdata_dagster.warehouse.commit.alteration import Alteration
from orgdata_dagster.warehouse.commit.target import Contract
from orgdata_dagster.warehouse.errors import ContractViolation, Refused
from orgdata_dagster.warehouse.excerpts import excerpt
from orgdata_dagster.warehouse.ledger.loads import last_columns
from orgdata_dagster.warehouse.ledger.schema_changes import SchemaChange
from orgdata_dagster.warehouse.names import (
    LOADED_AT,
    OWN_PREFIX,
    PARTITION,
    RUN_ID,
    VARIANT,
    TableName,
    folded,
    literal,
    quoted,
)
from orgdata_dagster.warehouse.pages.stage import Stage
from orgdata_dagster.warehouse.types import declared, lossless
from orgdata_dagster.warehouse.types.column_types import ColumnTypes, batches

CONVERTED = "_orgdata_converted_"
_FIRST_ROWS = 2_000  # usually enough to find a value in every column that has one
SURPRISE = "orgdata: a value does not survive the type guessed for"
OWN_COLUMNS = {PARTITION: "VARCHAR", LOADED_AT: lossless.INSTANT, RUN_ID: "VARCHAR"}


@dataclass
class Evolution:
    """The plan for a table and its staged rows.

    created: whether the table does not exist yet.
    alteration: the changes of the table's columns.
    statements: SQL that creates or changes the table, in order.
    converted: column -> SQL that converts its text, available as `CONVERTED` + column, so that it is parsed only once.
    casts: column -> SQL of the stored value, from the text columns of a page and from `converted`.
    changes: the changes to record.
    """

    created: bool
    alteration: Alteration = field(default_factory=Alteration)
    statements: list[str] = field(default_factory=list)
    casts: dict[str, str] = field(default_factory=dict)
    converted: dict[str, str] = field(default_factory=dict)
    changes: list[SchemaChange] = field(default_factory=list)


def plan(
    connection: duckdb.DuckDBPyConnection,
    table: TableName,
    stage: Stage,
    existing: Mapping[str, str],
    contract: Contract = "evolve",
    own: Mapping[str, str] = OWN_COLUMNS,
) -> Evolution:
    """Plan how to make the staged rows fit into the table.

    existing: column -> type of the table as it is; empty if it does not exist.
    own: column -> type of the columns that orgdata adds to every table.

    Raises ContractViolation under `freeze` if a column is new or changes.
    """
    result = Evolution(created=not existing)
    columns = dict(stage.columns)
    if not existing and not columns:
        # only a header so far, or nothing at all: create the table anyway
        columns = {name: ColumnTypes() for name in stage.empty_columns or stage.configured}
        stage.declare(list(columns))
    known = {folded(name): (name, kind) for name, kind in existing.items()}
    for name, types in columns.items():
        stored, current = known.get(folded(name), (name, None))
        if stage.declared_type(name) is not None:
            _plan_declared(connection, result, table, stored, types, existing, stage)
        else:
            _plan_free(connection, result, table, name, stored, current, types, stage)
    if stage.columns:
        sent = {folded(name) for name in columns}
        for name, kind in existing.items():
            if not name.startswith(OWN_PREFIX) and not name.endswith(VARIANT) and folded(name) not in sent:
                result.changes.append(SchemaChange(name, "missing", kind, None))
    if contract == "freeze" and existing and last_columns(connection, table):
        # a table with only empty loads has no columns to freeze
        _refuse(table, result, stage)
    added = result.alteration.added
    result.statements = result.alteration.statements(table) if existing else creation(table, {**added, **own})
    return result


def apply(connection: duckdb.DuckDBPyConnection, planned: Evolution) -> None:
    """Change the table, in the caller's transaction."""
    for statement in planned.statements:
        connection.execute(statement)


def expected_types(connection: duckdb.DuckDBPyConnection, table: TableName) -> dict[str, str]:
    """Column -> the type that new values are likely to fit: the table's type. Empty text columns are omitted."""
    columns = table_columns(connection, table)
    texts = [name for name, kind in columns.items() if kind == lossless.TEXT]
    if not texts:
        return columns
    row = connection.execute(
        f"SELECT {', '.join(f'count({quoted(name)})' for name in texts)} FROM (FROM {table.sql} LIMIT {_FIRST_ROWS})"
    ).fetchone()
    unknown = [name for name, count in zip(texts, row or (), strict=True) if not count]
    empty = set[str]()
    for batch in batches(unknown):
        filled = ", ".join(f"EXISTS (SELECT 1 FROM {table.sql} WHERE {quoted(name)} IS NOT NULL)" for name in batch)
        row = connection.execute(f"SELECT {filled}").fetchone() or ()
        empty |= {name for name, has_values in zip(batch, row, strict=True) if not has_values}
    return {name: kind for name, kind in columns.items() if name not in empty}


def creation(table: TableName, types: Mapping[str, str]) -> list[str]:
    """The statements that create a table with these columns."""
    body = ", ".join(f"{quoted(name)} {kind}" for name, kind in types.items())
    return [f"CREATE SCHEMA IF NOT EXISTS {quoted(table.schema)}", f"CREATE TABLE {table.sql} ({body})"]


def _plan_free(
    connection: duckdb.DuckDBPyConnection,
    result: Evolution,
    table: TableName,
    name: str,
    stored: str,
    current: str | None,
    types: ColumnTypes,
    stage: Stage,
) -> None:
    """Plan a column without a declared type. It gets the preferred type that can hold all new and all stored values."""
    wanted = types.fits[0] if types.filled and types.fits else lossless.TEXT
    if current is None:
        result.alteration.added[name] = wanted
        result.changes.append(SchemaChange(name, "added", None, wanted))
        current = wanted
    elif types.filled and current not in types.fits and wanted != current:
        target = _common_type(connection, table, stored, current, types)
        if target != current:
            result.alteration.texts[stored] = lossless.as_text(stored, current)
            result.alteration.values[stored] = lossless.from_text(quoted(stored), target)
            result.changes.append(SchemaChange(stored, "widened", current, target))
            current = target
    if stage.exact or current == lossless.TEXT:
        result.casts[stored] = lossless.from_text(quoted(name), current)
    else:
        value = _convert(result, name, current)
        result.casts[stored] = _guarded(lossless.survives(name, current, types.kinds, value), value, name)


def _common_type(
    connection: duckdb.DuckDBPyConnection, table: TableName, stored: str, current: str, types: ColumnTypes
) -> str:
    """The preferred type that can hold all new and all stored values; text can hold any value."""
    if current == lossless.TEXT:
        # text holds any value, but a column that is still empty may get a narrower type
        empty = connection.execute(f"SELECT 1 FROM {table.sql} WHERE {quoted(stored)} IS NOT NULL LIMIT 1").fetchone()
        return (types.fits[0] if types.fits else lossless.TEXT) if empty is None else lossless.TEXT
    source = f"(SELECT {lossless.as_text(stored, current)} AS {quoted(stored)} FROM {table.sql})"
    for kind in types.fits:
        survives = lossless.survives(stored, kind, types.kinds)
        row = connection.execute(f"SELECT bool_and({survives}) FROM {source}").fetchone()
        if row is None or row[0] is not False:
            return kind
    return lossless.TEXT


def _plan_declared(
    connection: duckdb.DuckDBPyConnection,
    result: Evolution,
    table: TableName,
    name: str,
    types: ColumnTypes,
    existing: Mapping[str, str],
    stage: Stage,
) -> None:
    """Plan a column with a declared type. It gets that type; values that do not fit go to the variant column."""
    kind = stage.declared_type(name)
    assert kind is not None
    extra, value = lossless.variant(name), lossless.converted(name, kind)
    fits = declared.fits(name, kind, value)
    stored_misfits = False
    if types.misfits and stage.cursor_in([name]) is not None:
        raise Refused(
            f"{table}: {types.misfits} instants of the cursor column {name!r} do not fit {kind}, the type declared for "
            "it. Nothing was stored. Declare TIMESTAMPTZ or VARCHAR, or leave the column out of `columns`."
        )
    if name not in existing:
        result.alteration.added[name] = kind
        result.changes.append(SchemaChange(name, "added", None, kind))
    elif existing[name] != kind:
        text = lossless.as_text(name, existing[name])
        misfit = f"{quoted(name)} IS NOT NULL AND NOT {fits}"
        source = f"(SELECT {text} AS {quoted(name)} FROM {table.sql})"
        stored_misfits = bool(connection.execute(f"SELECT 1 FROM {source} WHERE {misfit} LIMIT 1").fetchone())
    if (types.misfits or stored_misfits) and extra not in existing:
        result.alteration.added[extra] = lossless.TEXT
        result.changes.append(SchemaChange(extra, "variant", kind, lossless.TEXT))
    if name in existing and existing[name] != kind:
        _retype(result, name, existing[name], kind, fits, extra=extra if stored_misfits else None)
    if types.misfits or extra in existing:
        result.casts[name] = f"CASE WHEN {fits} THEN {value} END"
        result.casts[extra] = f"CASE WHEN NOT {fits} THEN {quoted(name)} END"
    elif stage.exact:
        result.casts[name] = value
    else:
        value = _convert(result, name, kind)
        fits = declared.fits(name, kind, value)
        result.casts[name] = _guarded(f"({quoted(name)} IS NULL OR {fits})", value, name)


def _convert(result: Evolution, column: str, data_type: str) -> str:
    """Add a column to `converted`; returns the SQL name of the converted value."""
    result.converted[column] = lossless.converted(column, data_type)
    return quoted(CONVERTED + column)


def _guarded(test: str, cast: str, column: str) -> str:
    """SQL of a cast that raises an error if a value does not pass the test: the type is inferred from a sample."""
    return f"CASE WHEN {test} THEN {cast} ELSE error({literal(f'{SURPRISE} {column}')}) END"


def _retype(result: Evolution, name: str, before: str, kind: str, fits: str, *, extra: str | None) -> None:
    """Change a stored column to a newly declared type, via text.

    extra: the variant column, which gets the values that do not fit; None if there are none.
    """
    text = quoted(name)
    result.alteration.texts[name] = lossless.as_text(name, before)
    result.alteration.values[name] = f"CASE WHEN {fits} THEN {lossless.converted(name, kind)} END"
    if extra is not None:
        kept = "NULL" if extra in result.alteration.added else quoted(extra)
        result.alteration.values[extra] = f"CASE WHEN {text} IS NOT NULL AND NOT {fits} THEN {text} ELSE {kept} END"
    result.changes.append(SchemaChange(name, "retyped", before, kind))


def _refuse(table: TableName, result: Evolution, stage: Stage) -> None:
    broken = [change for change in result.changes if change.change != "missing"]
    if not broken:
        return
    first = broken[0]
    sample = stage.sample_row(first.column.removesuffix(VARIANT), first.before or lossless.TEXT)
    shown = excerpt(json.dumps(sample, ensure_ascii=False), 500)
    raise ContractViolation(
        f"{table} is frozen, but {'; '.join(map(str, broken))}. Sample row: "
        f"{shown}. The old partition stays in place. To accept the change, set `contract: evolve`, "
        "or declare the column under `columns`."
    )
