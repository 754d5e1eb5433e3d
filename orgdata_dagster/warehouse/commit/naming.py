"""Names in the commit's transaction: no other run may have given them to other columns meanwhile.

Here: `confirm`. Keep out: the rules (pages/column_names.py), what a person configured (configured.py).
"""

from __future__ import annotations

from collections.abc import Iterable

import duckdb

from orgdata_dagster.warehouse.ledger import columns as ledger
from orgdata_dagster.warehouse.names import TableName
from orgdata_dagster.warehouse.pages.column_names import ColumnNames
from orgdata_dagster.warehouse.pages.stage import Stage


class NamesMoved(Exception):
    """The table knows other columns for the names of the staged pages; `names` is its memory."""

    def __init__(self, names: ColumnNames) -> None:
        super().__init__("the names of columns")
        self.names = names


def confirm(connection: duckdb.DuckDBPyConnection, table: TableName, stage: Stage, columns: Iterable[str]) -> None:
    """Have the table, which has these `columns`, remember where the names of the staged pages lead.

    Raises NamesMoved where it remembers something else.
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
