"""One record of a dataset, in two shapes: as writes return it and as reads return it.

Here: the shapes, exactly as in the document's examples. JSON is rendered once and served often.
Add here when: the document shows a record in another shape.
Keep out: creating and changing records (`dataset`).
"""

import json
from dataclasses import dataclass, field
from typing import Any

from orgdata_dagster.sandbox import instants
from orgdata_dagster.sandbox.octolis.columns import ALL_MASTERIDS, CREATED_AT, MASTERID, MODIFIED_AT, UPDATED_AT


@dataclass(slots=True)
class Record:
    """A record.

    serial: its number, in the order of creation.
    values: column -> value.
    modified, created, updated: microseconds since 1970, in whole milliseconds.
    merged: the masterids of records that were merged into this one.
    """

    serial: int
    masterid: str
    values: dict[str, Any]
    modified: int
    created: int
    updated: int
    merged: tuple[str, ...] = ()
    _json: bytes | None = field(default=None, repr=False)

    @property
    def json(self) -> bytes:
        """`public` as JSON."""
        if self._json is None:
            self._json = json.dumps(self.public(), ensure_ascii=False, separators=(",", ":")).encode()
        return self._json

    def forget_json(self) -> None:
        """Discard the rendered JSON, because the record has changed."""
        self._json = None

    def public(self) -> dict[str, Any]:
        """The record as reads return it: with `__all_masterids__` only if it results from a merge."""
        return self._shape(self.merged)

    def value(self, name: str) -> Any:
        """A value of `public`; None if there is none of this name."""
        return self.values[name] if name in self.values else self.public().get(name)

    def base(self) -> dict[str, Any]:
        """The record as writes return it: always with `__all_masterids__`; without a merge, its own masterid."""
        return self._shape(self.merged or (self.masterid,))

    def _shape(self, masterids: tuple[str, ...]) -> dict[str, Any]:
        return {
            **self.values,
            MODIFIED_AT: instants.to_text(self.modified, 3),
            MASTERID: self.masterid,
            **({ALL_MASTERIDS: list(masterids)} if masterids else {}),
            CREATED_AT: instants.to_text(self.created, 3),
            UPDATED_AT: instants.to_text(self.updated, 3),
        }
