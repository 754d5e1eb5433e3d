"""Names of tables and columns: quoting them for SQL, and deciding whether two names are the same.

Here: rules that apply to tables and columns alike. Keep out: the columns of a vendor's names (pages/column_names.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from string import ascii_lowercase, ascii_uppercase

from orgdata_dagster.warehouse.excerpts import excerpt

OWN_PREFIX = "_orgdata_"
PARTITION = "_orgdata_partition"
LOADED_AT = "_orgdata_loaded_at"
RUN_ID = "_orgdata_run_id"
KEY_TYPES = "_orgdata_key_types"  # only of tables whose keys have values of several JSON types
VARIANT = "__v_text"  # suffix of the name of a variant column
PARTITION_IS_IN = f"({PARTITION} IN (SELECT unnest(CAST(? AS VARCHAR[]))) OR ({PARTITION} IS NULL AND ?))"
"""SQL with two parameters: the partitions, and whether None is among them."""
_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)


@dataclass(frozen=True)
class TableName:
    """A table of the warehouse: schema (the vendor) and name (the table in YAML)."""

    schema: str
    name: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def sql(self) -> str:
        """Quoted for SQL."""
        return f"{quoted(self.schema)}.{quoted(self.name)}"

    def view(self, suffix: str) -> TableName:
        """The name of a view of this table, for example `users_current` for `users`."""
        return TableName(self.schema, f"{self.name}_{suffix}")


def folded(name: str) -> str:
    """Fold a name for comparison. The database treats two names as equal exactly if their folded forms are equal.

    Only the case of ASCII letters is ignored: `ID` and `id` are the same column, `École` and `école` are not.
    """
    return name.lower() if name.isascii() else name.translate(_LOWER)


def unknown(name: str, columns: Iterable[str]) -> str:
    """The message, as a clause, that no column has this configured name, with the closest column."""
    there = [column for column in columns if not folded(column).startswith(OWN_PREFIX)]
    spelled = {folded(column): column for column in reversed(there)}
    close = get_close_matches(folded(name), spelled, n=1, cutoff=0.5)
    meant = f"did you mean {spelled[close[0]]!r}? There" if close else "there"
    return f"there is no column {name!r}; {meant} are {excerpt(', '.join(there), 300) or 'none at all'}"


def quoted(identifier: str) -> str:
    """Quote an identifier, which may contain any characters, for SQL."""
    return '"' + identifier.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Quote a string for SQL."""
    return "'" + text.replace("'", "''") + "'"
