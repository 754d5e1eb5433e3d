"""Changing the columns of a stored table in SQL that runs on a DuckDB file and on a lake.

Here: `Alteration`, which collects changes and turns them into statements. Add here: another change of a stored table.
Keep out: which changes are needed (evolution.py), comments and views, which are made anew (views.py).

A lake has no `ALTER ... SET DATA TYPE ... USING`, and it cannot read a table any more whose column was added, filled,
dropped and renamed in one transaction. A column's type is therefore changed by copying the table: one pass for all its
columns, whose order stays.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from orgdata_dagster.warehouse.names import OWN_PREFIX, TableName, quoted

_COPY = f"{OWN_PREFIX}copy_of_"


@dataclass
class Alteration:
    """Changes of one table's columns.

    added: new column -> type.
    texts: stored column -> SQL of its value as text; only of columns that get another type.
    values: column -> SQL of the value that it gets, in which the name of a column of `texts` means that text.
    """

    added: dict[str, str] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)

    def statements(self, table: TableName) -> list[str]:
        """The statements that make the changes, for one transaction."""
        if not self.values:
            return [f"ALTER TABLE {table.sql} ADD COLUMN {quoted(name)} {kind}" for name, kind in self.added.items()]
        copy = TableName(table.schema, f"{_COPY}{table.name}")
        old = f"(SELECT *{_replaced(self.texts)} FROM {table.sql})"
        kept = {name: sql for name, sql in self.values.items() if name not in self.added}
        new = "".join(
            f", CAST({self.values.get(name, 'NULL')} AS {kind}) AS {quoted(name)}" for name, kind in self.added.items()
        )
        return [
            f"CREATE TABLE {copy.sql} AS SELECT *{_replaced(kept)}{new} FROM {old}",
            f"DROP TABLE {table.sql}",
            f"ALTER TABLE {copy.sql} RENAME TO {quoted(table.name)}",
        ]


def _replaced(columns: dict[str, str]) -> str:
    """SQL after `*`: these columns with other values."""
    listed = ", ".join(f"{sql} AS {quoted(name)}" for name, sql in columns.items())
    return f" REPLACE ({listed})" if listed else ""
