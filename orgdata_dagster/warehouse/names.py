"""Names: quoting for SQL, and one stable column name for every header, however odd.

Here: how vendor names become column names. Keep out: types.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_lowercase, ascii_uppercase

OWN_PREFIX = "_orgdata_"
PARTITION = "_orgdata_partition"
LOADED_AT = "_orgdata_loaded_at"
RUN_ID = "_orgdata_run_id"
VARIANT = "__v_text"  # ends the name of a column's variant column
PARTITION_IS_IN = f"({PARTITION} IN (SELECT unnest(CAST(? AS VARCHAR[]))) OR ({PARTITION} IS NULL AND ?))"
"""SQL with two parameters: the partitions, and whether None is among them."""
_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)
_ROW_ID = "rowid"  # the database's own name for a row's place


@dataclass(frozen=True)
class TableName:
    """A table of the warehouse: schema (the vendor) and name (the data set)."""

    schema: str
    name: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def sql(self) -> str:
        """Quoted for SQL."""
        return f"{quoted(self.schema)}.{quoted(self.name)}"

    def view(self, suffix: str) -> TableName:
        """The view beside this table, as `users_current` beside `users`."""
        return TableName(self.schema, f"{self.name}_{suffix}")


def folded(name: str) -> str:
    """A name by which two names are compared: they are one to the database exactly if this is the same of both.

    It ignores the case of ASCII letters alone: `ID` and `id` are one column, `École` and `école` are two.
    """
    return name.lower() if name.isascii() else name.translate(_LOWER)


def quoted(identifier: str) -> str:
    """An SQL identifier, whatever characters it has."""
    return '"' + identifier.replace('"', '""') + '"'


def literal(text: str) -> str:
    """An SQL string."""
    return "'" + text.replace("'", "''") + "'"


def column_names(header: Sequence[str]) -> list[str]:
    """The column names for a header line: the vendor's own, made unique.

    An empty name becomes `column_<position>` (from 1), the second `name` becomes `name_2`. DuckDB's names ignore case,
    so `Id` beside `id` is a duplicate too. Names beginning with `_orgdata_` are ours: the vendor's gets a leading `x`.
    Names ending in `__v_text` are ours too, and `rowid` is the database's: the vendor's gets a trailing `_`.
    """
    taken = {folded(name.strip()) for name in header if name.strip()}
    used: set[str] = set()
    names = []
    for position, raw in enumerate(header, start=1):
        base = raw.strip() or f"column_{position}"
        if folded(base).startswith(OWN_PREFIX):
            base = f"x{base}"
        if folded(base) == _ROW_ID or folded(base).endswith(VARIANT):
            base = f"{base}_"
        name, count = base, 1
        while folded(name) in used or (count > 1 and folded(name) in taken):
            count += 1
            name = f"{base}_{count}"
        used.add(folded(name))
        names.append(name)
    return names
