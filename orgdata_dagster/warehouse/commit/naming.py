"""Column names in the commit's transaction: another run may have mapped the same names to other columns meanwhile.

Here: `confirm`. Keep out: the rules for names (pages/column_names.py), configured names (configured_columns.py).
"""

from __future__ import annotations

from collections.abc import Iterable

import duckdb

from orgdata_dagster.warehouse.ledger import columns as ledger
from orgdata_dagster.warehouse.names import TableName
from orgdata_dagster.warehouse.pages.column_names import ColumnNames
from orgdata_dagster.warehouse.pages.stage import Stage


class NamesMoved(Exception):
    """The table maps the names of the staged pages to other columns. names: the mapping of the table."""

    def __init__(self, names: ColumnNames) -> None:
        super().__init__("the names of columns")
        self.names = names


def confirm(connection: duckdb.DuckDBPyConnection, table: TableName, stage: Stage, columns: Iterable[str]) -> None:
    """Record which columns of the table the names of the staged pages lead to.

    columns: the columns that the table has now.

    Raises NamesMoved if the ledger has other columns for some of the names.
    """
    known = ledger.names_of(connection, table, columns)
    used = {(staged.page.names, staged.page.columns) for staged in stage.pages}
    every = {name for names, _ in used for name in names}
    before = known.of(every)
    known.learn(stage.names)
    if any(known.assign(names).columns != columns_ for names, columns_ in used):
        raise NamesMoved(known)
    now = known.of(every)
    ledger.remember(connection, table, {name: column for name, column in now.items() if name not in before})
