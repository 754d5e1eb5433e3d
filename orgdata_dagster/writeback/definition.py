"""What a person configured of a sync, and the words that its modules share.

Here: plain values. Add here: another thing that a person may say. Keep out: checking the YAML (component.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from orgdata_dagster.vendors.octolis.client import MASTERID
from orgdata_dagster.vendors.octolis.writing import Mode

Type = Literal["text", "integer", "float", "boolean", "timestamp", "list"]


@dataclass(frozen=True)
class Sync:
    """How the rows of a source become records: `mapping` leads from the source's column names to the dataset's, which
    `key`, `types` and `erase_nulls` have."""

    name: str
    key: tuple[str, ...] = ()
    mode: Mode = "upsert"
    mapping: Mapping[str, str] = field(default_factory=dict)
    types: Mapping[str, Type] = field(default_factory=dict)
    erase_nulls: frozenset[str] = frozenset()

    @property
    def identity(self) -> tuple[str, ...]:
        """The columns by which rows are told apart: an update names its record by the masterid alone."""
        return (MASTERID,) if self.mode == "update" else self.key


@dataclass(frozen=True)
class Row:
    """A row to be sent: its number in the source (from 1), its key and payload as JSON, the payload's hash and that
    of the values beside the key, and why octolis may have it already (None: it has not)."""

    number: int
    key: str
    hash: str
    rest: str | None
    payload: str
    again: str | None = None
