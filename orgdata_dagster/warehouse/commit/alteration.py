"""Changing the columns of a stored table with SQL that works in a DuckDB file and in a lake.

Here: `Alteration`, which collects changes and turns them into statements. Add here: another change of a stored table.
Keep out: which changes are needed (evolution.py), comments and views, which are recreated afterwards (views.py).

A lake has no `ALTER ... SET DATA TYPE ... USING`. After a column was added, filled, dropped and renamed in one
transaction, a lake can no longer read the table. The types of columns are therefore changed by copying the table once;
the order of the columns stays the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from orgdata_dagster.warehouse.names import OWN_PREFIX, TableName, quoted

_COPY = f"{OWN_PREFIX}copy_of_"


@dataclass
class Alteration:
    """Changes of one table's columns.

    added: new column -> type.
    texts: stored column -> SQL that converts its value to text, for columns that get another type.
    values: column -> SQL of its new value. In this SQL, the name of a column in `texts` refers to its text.
    """

    added: dict[str, str] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)

    def statements(self, table: TableName) -> list[str]:
        """The statements that make the changes. They must run in one transaction."""
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
    """The SQL to append to `*` to replace the values of these columns."""
    listed = ", ".join(f"{sql} AS {quoted(name)}" for name, sql in columns.items())
    return f" REPLACE ({listed})" if listed else ""
