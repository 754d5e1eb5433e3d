"""Batches of items that are committed together.

Here: `Batches`. Keep out: the commit (landing.py).

Even a small commit takes tens of milliseconds, during which every other writer waits. Hundreds of small partitions are
therefore committed together. Uncommitted partitions are lost if the process is killed, so that a batch ends after a
few seconds; its size matters only if the vendor answers very fast. Several large partitions are also committed
together, because every commit stores the last, partly filled blocks of the table again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

LONGEST = 3.0  # seconds from one commit to the next, while there is something to commit


class Batches(Generic[T]):
    """Collects items from several threads. The caller that completes a batch receives it and must commit it.

    A batch is complete with `size` items, with items of `weight` together, or when the last one was `longest` seconds
    ago.
    """

    def __init__(
        self, size: int, weight: int, longest: float = LONGEST, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._size = size
        self._heaviest = weight
        self._weight = 0
        self._longest = longest
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: list[T] = []
        self._taken = clock()

    def add(self, item: T, weight: int = 1) -> list[T]:
        """Add an item; returns a whole batch if the item completes one or the last batch is long ago, else []."""
        with self._lock:
            self._waiting.append(item)
            self._weight += weight
            full = len(self._waiting) >= self._size or self._weight >= self._heaviest
            return self._take() if full or self._clock() - self._taken >= self._longest else []

    def overdue(self) -> list[T]:
        """Return the items that have waited for `longest` seconds, if nothing was added meanwhile."""
        with self._lock:
            return self._take() if self._waiting and self._clock() - self._taken >= self._longest else []

    def rest(self) -> list[T]:
        """Return the remaining items."""
        with self._lock:
            return self._take()

    def _take(self) -> list[T]:
        taken, self._waiting, self._weight = self._waiting, [], 0
        self._taken = self._clock()
        return taken
