"""The overlap of two pulls of a list that tells only what changed.

Here: `Overlap`: the newest rows of a pull are remembered, and the next pull begins at the oldest of them. If none of
them comes again, the answer cannot be trusted: it may be empty by mistake, or the vendor's filter may be shifted.
Keep out: what follows from that (pulling.py).
"""

from __future__ import annotations

import heapq
import json
import threading
from collections.abc import Mapping, Sequence
from datetime import datetime

from orgdata_dagster.warehouse.ledger.state import NEWEST_ROWS

_REMEMBERED = 10  # rows; a single one may well be deleted


class Overlap:
    """The rows that must come again, and those that came; several threads may read lists at once.

    state: what is remembered of the table.
    """

    def __init__(self, state: Mapping[str, str]) -> None:
        noted = json.loads(state.get(NEWEST_ROWS, "{}"))
        self._known = {key: datetime.fromisoformat(at) for key, at in noted.items()}
        self._lock = threading.Lock()
        self.begin()

    def begin(self) -> None:
        """Forget what came."""
        self._came = False
        self._newest: dict[str, datetime] = {}

    def note(self, keys: Sequence[str], changes: Sequence[datetime] | None) -> None:
        """Take in the keys of a page's rows, and when they were changed (None: they do not say)."""
        with self._lock:
            self._came = self._came or not self._known.keys().isdisjoint(keys)
            if changes and changes[0].tzinfo is not None:
                dated = {**self._newest, **dict(zip(keys, changes, strict=True))}
                self._newest = dict(heapq.nlargest(_REMEMBERED, dated.items(), key=lambda each: each[1]))

    @property
    def start(self) -> datetime | None:
        """From when on a pull brings all of the known rows; None if none is known."""
        return min(self._known.values(), default=None)

    @property
    def agrees(self) -> bool:
        """Whether a known row came again, if any is known."""
        return self._came or not self._known

    def state(self) -> dict[str, str]:
        """What to remember for the next pull."""
        if not self._newest:
            return {}
        return {NEWEST_ROWS: json.dumps({key: at.isoformat() for key, at in self._newest.items()})}
