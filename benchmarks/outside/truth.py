"""The comparison of a table in the warehouse with the vendor's rows: which rows are lost, duplicated or altered.

Here: reading both sides with the same spelling, and comparing them in DuckDB, at any size. It uses none of orgdata's
own code, so that a fault in that code cannot hide itself. Keep out: writing the truth (world.py).

A row that the table lacks is *lost* if orgdata claims to have it: if the ledger covers it, or if the command succeeded
without a warning. Otherwise the row is only *missing*.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import duckdb

_INSTANTS = ("TIMESTAMP WITH TIME ZONE", "TIMESTAMP")


@dataclass(frozen=True)
class Table:
    """A table of a world.

    name: `<vendor>.<table>`.
    cursor: the column whose instants the coverage in the ledger refers to.
    file: the truth: JSON lines, or a CSV without quotes.
    """

    name: str
    columns: Sequence[str]
    key: Sequence[str] = ()
    cursor: str | None = None
    file: str = ""

    def to_json(self) -> dict[str, object]:
        return asdict(self)


@dataclass(frozen=True)
class Difference:
    """Numbers of wrong rows. `truth`: number of rows at the vendor."""

    truth: int = 0
    lost: int = 0
    duplicated: int = 0
    altered: int = 0
    missing: int = 0
    incomplete: Sequence[str] = field(default_factory=tuple)

    @property
    def wrong(self) -> int:
        return self.lost + self.duplicated + self.altered


def compare(warehouse: Path, tables: Sequence[Table], folder: Path, *, ended_well: bool) -> dict[str, Difference]:
    """Table -> its difference from the truth in `folder`. `ended_well`: whether the command succeeded."""
    connection = duckdb.connect(config={"threads": 2, "memory_limit": "6GB", "temp_directory": str(folder / "spill")})
    connection.execute("SET TimeZone = 'UTC'; SET preserve_insertion_order = false")
    there = warehouse.exists()
    if there:
        _attach(connection, warehouse)
    try:
        return {table.name: _compare(connection, table, folder, there, ended_well) for table in tables}
    finally:
        connection.close()


def _attach(connection: duckdb.DuckDBPyConnection, warehouse: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            connection.execute(f"ATTACH {_literal(warehouse)} AS stored (READ_ONLY)")
            return
        except duckdb.IOException as error:
            if "lock" not in str(error).lower() or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _compare(
    connection: duckdb.DuckDBPyConnection, table: Table, folder: Path, there: bool, ended_well: bool
) -> Difference:
    types = _types(connection, table) if there else {}
    is_json = not table.file.endswith(".csv")
    connection.execute(f"CREATE OR REPLACE TEMP VIEW told AS {_truth_sql(table, folder, is_json)}")
    connection.execute(f"CREATE OR REPLACE TEMP TABLE want AS {_want_sql(table, types, is_json)}")
    connection.execute(f"CREATE OR REPLACE TEMP TABLE have AS {_have_sql(table, types)}")
    intervals, incomplete = _coverage(connection, table) if there else ([], [])
    silent = ended_well and not incomplete
    claimed = "true" if silent else _claimed(table, intervals)
    total, lost, missing, doubled, altered = _one(
        connection,
        f"""
        WITH w AS (SELECT k, count(*) AS n, list_sort(list(DISTINCT h)) AS hs, bool_or({claimed}) AS claimed
                   FROM want GROUP BY k),
             s AS (SELECT k, count(*) AS n, list_sort(list(DISTINCT h)) AS hs FROM have GROUP BY k)
        SELECT coalesce(sum(w.n), 0),
            coalesce(sum(greatest(w.n - coalesce(s.n, 0), 0)) FILTER (w.claimed), 0),
            coalesce(sum(greatest(w.n - coalesce(s.n, 0), 0)) FILTER (NOT w.claimed), 0),
            coalesce(sum(greatest(s.n - w.n, 0)) FILTER (w.n > 0), 0),
            coalesce(sum(s.n) FILTER (w.k IS NULL), 0) + count(*) FILTER (w.hs <> s.hs)
        FROM w FULL JOIN s USING (k)""",
    )
    return Difference(total, lost, doubled, altered, missing, tuple(incomplete))


def _types(connection: duckdb.DuckDBPyConnection, table: Table) -> dict[str, str]:
    schema, name = table.name.split(".")
    found = connection.execute(
        "SELECT column_name, data_type FROM duckdb_columns() WHERE database_name = 'stored' AND schema_name = ? "
        "AND table_name = ?",
        [schema, name],
    )
    return dict(found.fetchall())


def _truth_sql(table: Table, folder: Path, is_json: bool) -> str:
    path = _literal(folder / table.file)
    if not is_json:
        return f"SELECT * FROM read_csv({path}, header = true, all_varchar = true, delim = ',', quote = '')"
    columns = ", ".join(f"{_literal(name)}: 'JSON'" for name in table.columns)
    return (
        f"SELECT * FROM read_json({path}, format = 'newline_delimited', columns = {{{columns}}}, "
        "maximum_object_size = 200000000)"
    )


def _want_sql(table: Table, types: dict[str, str], is_json: bool) -> str:
    spelled = {name: _told(name, types.get(name, "VARCHAR"), is_json) for name in table.columns}
    return _rows_sql("told", table, spelled, _text(table.cursor, is_json) if table.cursor else None)


def _have_sql(table: Table, types: dict[str, str]) -> str:
    if not types:
        return "SELECT NULL::UBIGINT AS k, NULL::UBIGINT AS h WHERE false"
    schema, name = table.name.split(".")
    spelled = {column: _stored(column, types) for column in table.columns}
    return _rows_sql(f"stored.{_quoted(schema)}.{_quoted(name)}", table, spelled, None)


def _rows_sql(source: str, table: Table, spelled: dict[str, str], cursor: str | None) -> str:
    whole = f"hash(row({', '.join(spelled.values())}))"
    key = f"hash(row({', '.join(spelled[name] for name in table.key)}))" if table.key else whole
    moment = f", TRY_CAST({cursor} AS TIMESTAMPTZ) AS moment" if cursor else ", NULL::TIMESTAMPTZ AS moment"
    return f"SELECT {key} AS k, {whole} AS h{moment} FROM {source}"


def _text(name: str, is_json: bool) -> str:
    column = _quoted(name)
    return f"nullif({column}, 'null') ->> '$'" if is_json else column


def _told(name: str, kind: str, is_json: bool) -> str:
    """SQL of the vendor's value, spelled as `_stored` spells the values of a column of this type."""
    text, column = f"({_text(name, is_json)})", _quoted(name)
    if kind in _INSTANTS:
        return f"CAST(epoch_us(TRY_CAST({text} AS {kind})) AS VARCHAR)"
    if kind == "BOOLEAN":
        return f"lower({text})"
    if is_json and (kind in ("DOUBLE", "FLOAT") or kind.startswith("DECIMAL")):
        # the spelling of a JSON number does not matter, that of a string does
        number = f"CAST(TRY_CAST({text} AS {_number(kind)}) AS VARCHAR)"
        return f"CASE WHEN json_type({column}) = 'VARCHAR' THEN {text} ELSE {number} END"
    if is_json and (kind == "JSON" or kind.endswith("[]")):
        return f"CAST(json(nullif({column}, 'null')) AS VARCHAR)"
    return text


def _stored(name: str, types: dict[str, str]) -> str:
    if name not in types:
        return "NULL::VARCHAR"
    kind, column = types[name], _quoted(name)
    if kind in _INSTANTS:
        text = f"CAST(epoch_us({column}) AS VARCHAR)"
    elif kind.endswith("[]"):
        text = f"CAST(to_json({column}) AS VARCHAR)"
    elif kind == "JSON":
        text = f"CAST(json({column}) AS VARCHAR)"
    else:
        text = f"CAST({column} AS VARCHAR)"
    variant = f"{name}__v_text"
    return f"coalesce({text}, {_quoted(variant)})" if variant in types else text


def _number(kind: str) -> str:
    return "DOUBLE" if kind == "FLOAT" else kind


def _coverage(connection: duckdb.DuckDBPyConnection, table: Table) -> tuple[list[tuple[str, str]], list[str]]:
    """The complete intervals in the ledger, and the incomplete partitions."""
    schema, name = table.name.split(".")
    try:
        rows = connection.execute(
            "SELECT CAST(from_instant AS VARCHAR), CAST(to_instant AS VARCHAR), complete, partition_key "
            "FROM stored._orgdata.coverage WHERE schema_name = ? AND table_name = ?",
            [schema, name],
        ).fetchall()
    except duckdb.CatalogException:
        return [], []
    return [(a, b) for a, b, complete, _ in rows if complete], [str(key) for *_, ok, key in rows if not ok]


def _claimed(table: Table, intervals: list[tuple[str, str]]) -> str:
    """SQL: whether the ledger claims that a row has landed."""
    if not intervals:
        return "false"
    if table.cursor is None:
        return "true"
    within = (f"(moment >= TIMESTAMPTZ {_literal(a)} AND moment < TIMESTAMPTZ {_literal(b)})" for a, b in intervals)
    return " OR ".join(within)


def _one(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[int, ...]:
    row = connection.execute(sql).fetchone()
    assert row is not None
    return tuple(int(value) for value in row)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(value: object) -> str:
    return "'" + str(value).replace("'", "''") + "'"


def load(path: Path) -> list[Table]:
    """The tables in a file of `World.write`."""
    return [Table(**each) for each in json.loads(path.read_text())]
