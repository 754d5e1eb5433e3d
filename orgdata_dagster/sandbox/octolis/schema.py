"""The checks of a payload: columns, deduplication keys, and mandatory columns.

Here: the document's checks before anything is written, and the index that finds records by their keys.
Add here when: the document has another condition for a whole payload.
Keep out: conditions for one value (`columns`), writing a valid payload (`dataset`).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from orgdata_dagster.sandbox.octolis import problems
from orgdata_dagster.sandbox.octolis.columns import MASTERID, SYSTEM, Column
from orgdata_dagster.sandbox.octolis.problems import Doing
from orgdata_dagster.sandbox.octolis.record import Record

Values = Mapping[str, Any]
Key = tuple[str, ...]


class Schema:
    """The columns and keys of a dataset. A key has one or several columns; it is complete if none of them is null."""

    def __init__(self, columns: Iterable[Column], keys: Sequence[Key]) -> None:
        self.columns = {column.name: column for column in columns}
        self.keys = list(keys)
        marked = [column.name for column in self.columns.values() if column.mandatory]
        self._mandatory = list(dict.fromkeys([name for key in keys for name in key] + marked))

    def accept(self, payload: Values, doing: Doing) -> tuple[dict[str, Any], list[str]]:
        """The values of a payload to write, and its protected columns. Raises Problem."""
        if doing == "upsertion":
            self._need(self._mandatory, payload)
        accepted: dict[str, Any] = {}
        protected: list[str] = []
        errors: list[str] = []
        for name, value in payload.items():
            column = self.columns.get(name)
            if column and not column.protected:
                errors += column.complaints(value)
                accepted[name] = value
            elif column or name in SYSTEM:
                protected.append(name)
            else:
                errors.append(f"{name} (#/additionalProperties) - must NOT have additional properties")
        if errors:
            raise problems.invalid(doing, dict(payload), errors)
        if doing == "upsertion":
            self.need_a_key(accepted, doing)
        elif MASTERID in protected:
            protected.remove(MASTERID)  # it names the record, and is not a value to write
        return accepted, protected

    def need_a_key(self, values: Values, doing: Doing) -> None:
        """Raise Problem if these values have no complete key, by which the record could be found again."""
        if self.keys and not any(whole(key, values) for key in self.keys):
            raise problems.missing(doing, [name for key in self.keys for name in key if values.get(name) is None])

    def _need(self, names: Sequence[str], payload: Values) -> None:
        if absent := [name for name in names if name not in payload]:
            raise problems.missing("upsertion", absent)


class KeyIndex:
    """The records by their complete keys."""

    def __init__(self, keys: Sequence[Key]) -> None:
        self._owners: list[tuple[Key, dict[tuple[Any, ...], Record]]] = [(key, {}) for key in keys]

    def owners(self, values: Values) -> list[Record]:
        """The records that share a key with these values, each once."""
        owned = (owners.get(whole(key, values)) for key, owners in self._owners)
        return list({record.masterid: record for record in owned if record}.values())

    def taken(self, record: Record, values: Values) -> Key | None:
        """The key that another record shares with these values, if there is one."""
        return next((k for k, owners in self._owners if owners.get(whole(k, values), record) is not record), None)

    def add(self, record: Record) -> None:
        """Add a record."""
        for key, owners in self._owners:
            if found := whole(key, record.values):
                owners[found] = record

    def remove(self, record: Record) -> None:
        """Remove a record."""
        for key, owners in self._owners:
            owners.pop(whole(key, record.values), None)


def whole(key: Key, values: Values) -> tuple[Any, ...]:
    """The key's value; empty if a part of it is null, because null equals nothing."""
    found = tuple(values.get(name) for name in key)
    return () if None in found else found
