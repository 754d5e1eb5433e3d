"""One record of a dataset, and its two shapes: as writes return it and as reads do.

Here: the shapes, to the letter of the document's examples; JSON is rendered once and served often.
Add here when: the document shows a record in another shape.
Keep out: which records there are and how they change (`dataset`).
"""

import json
from dataclasses import dataclass, field
from typing import Any

from orgdata_dagster.sandbox import instants
from orgdata_dagster.sandbox.octolis.columns import ALL_MASTERIDS, CREATED_AT, MASTERID, MODIFIED_AT, UPDATED_AT


@dataclass(slots=True)
class Record:
    """Values by column and octolis' own: instants in microseconds, always whole milliseconds.

    `serial` counts the dataset's records as they are created; `merged` holds the masterids that went into this one.
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
        """The record has changed."""
        self._json = None

    def public(self) -> dict[str, Any]:
        """As a read returns it: `__all_masterids__` only where it results from a merge."""
        return self._shape(self.merged)

    def value(self, name: str) -> Any:
        """One value of `public`, None where it has none of this name."""
        return self.values[name] if name in self.values else self.public().get(name)

    def base(self) -> dict[str, Any]:
        """As a write returns it: `__all_masterids__` always, its own masterid where nothing was merged."""
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
