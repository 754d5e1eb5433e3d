"""The overlap of two pulls of a list that is filtered by a lower bound.

Here: `Overlap`: a pull stores its newest rows, and the next pull begins at the oldest of them. If it returns none of
them, its answer cannot be trusted: it may be empty by mistake, or the vendor's filter may be shifted.
Keep out: what a pull does then (pulling.py).
"""

from __future__ import annotations

import heapq
import json
import threading
from collections.abc import Mapping, Sequence
from datetime import datetime

from orgdata_dagster.warehouse.ledger.state import NEWEST_ROWS

_REMEMBERED = 10  # rows, because a single one may have been deleted


class Overlap:
    """The rows that a pull must return again, and those that it has returned. Thread-safe.

    state: the table's stored state.
    """

    def __init__(self, state: Mapping[str, str]) -> None:
        noted = json.loads(state.get(NEWEST_ROWS, "{}"))
        self._known = {key: datetime.fromisoformat(at) for key, at in noted.items()}
        self._lock = threading.Lock()
        self.begin()

    def begin(self) -> None:
        """Forget the rows of the last walk."""
        self._returned = False
        self._newest: dict[str, datetime] = {}

    def note(self, keys: Sequence[str], changes: Sequence[datetime] | None) -> None:
        """Note the keys of a page's rows, and when they were last changed (None: unknown)."""
        with self._lock:
            self._returned = self._returned or not self._known.keys().isdisjoint(keys)
            if changes and changes[0].tzinfo is not None:
                dated = {**self._newest, **dict(zip(keys, changes, strict=True))}
                self._newest = dict(heapq.nlargest(_REMEMBERED, dated.items(), key=lambda each: each[1]))

    @property
    def start(self) -> datetime | None:
        """The instant from which on a pull returns all known rows; None if no row is known."""
        return min(self._known.values(), default=None)

    @property
    def agrees(self) -> bool:
        """Whether a known row was returned again, or no row is known."""
        return self._returned or not self._known

    def state(self) -> dict[str, str]:
        """The state to store for the next pull."""
        if not self._newest:
            return {}
        return {NEWEST_ROWS: json.dumps({key: at.isoformat() for key, at in self._newest.items()})}
