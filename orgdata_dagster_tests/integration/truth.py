"""The comparison of a vendor's rows with the rows that landed, as text.

Here: both sides in one form, and their comparison. Every vendor's tests use it.
Add here when: the two sides may spell the same value in another way.
Keep out: which rows a test expects.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

from orgdata_dagster.sandbox import instants
from orgdata_dagster.warehouse.catalog import table_columns
from orgdata_dagster.warehouse.names import OWN_PREFIX, VARIANT, TableName, quoted
from orgdata_dagster.warehouse.storage.connection import Warehouse
from orgdata_dagster.warehouse.types import lossless

Row = Mapping[str, str | None]


def landed(warehouse: Warehouse, table: str) -> tuple[list[dict[str, str | None]], dict[str, str]]:
    """All rows of a table or view as the text they came from, and the columns' types."""
    name = TableName(*table.split("."))
    with warehouse.reading() as connection:
        types = table_columns(connection, name)
        own = {column: kind for column, kind in types.items() if not column.startswith(OWN_PREFIX)}
        columns = {column: kind for column, kind in own.items() if not column.endswith(VARIANT)}
        texts = []
        for column, kind in columns.items():
            variant = f", {quoted(lossless.variant(column))}" if lossless.variant(column) in own else ""
            texts.append(f"coalesce({lossless.as_text(column, kind)}{variant})")
        rows = connection.execute(f"SELECT {', '.join(texts)} FROM {name.sql}").fetchall()
    return [dict(zip(columns, row, strict=True)) for row in rows], columns


def difference(warehouse: Warehouse, table: str, truth: Iterable[Row]) -> dict[str, list[tuple[str | None, ...]]]:
    """Missing rows and surplus rows (with repetitions), a few of each; empty if both sides are equal."""
    found, types = landed(warehouse, table)
    want = Counter(_comparable(row, types) for row in truth)
    have = Counter(_comparable(row, types) for row in found)
    sides = {"missing": want - have, "too many": have - want}
    return {side: [f"{sum(rows.values())} rows", *rows][:4] for side, rows in sides.items() if rows}  # type: ignore[list-item]


def _comparable(row: Row, types: Mapping[str, str]) -> tuple[str | None, ...]:
    """The values in the table's order. A column that the table lacks is kept, so that it shows as a difference."""
    return tuple(_spelled(row.get(column), types.get(column)) for column in [*types, *(set(row) - set(types))])


def _spelled(value: str | None, kind: str | None) -> str | None:
    """One spelling of values that lossless typing may spell in several ways: instants, true and false."""
    if value is not None and kind == lossless.INSTANT:
        return instants.to_text(instants.from_text(value))
    if value is not None and kind == "BOOLEAN":
        return value.lower()
    return value
