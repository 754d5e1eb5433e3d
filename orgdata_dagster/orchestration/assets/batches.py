"""Collecting what arrives until it is worth a commit.

Here: `Batches`. Keep out: what a commit is (landing.py).

A commit costs tens of milliseconds whatever its size, and every other writer waits meanwhile: a year of small
partitions goes in by the hundred. But not for long: what is not committed is lost when the process is killed, so it is
the time that ends a batch, and its size only where the vendor answers very fast.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

LONGEST = 3.0  # seconds from one commit to the next, while there is something to commit


class Batches(Generic[T]):
    """Gathers items from any thread; whoever completes a batch gets it and has to deal with it."""

    def __init__(self, size: int, longest: float = LONGEST, clock: Callable[[], float] = time.monotonic) -> None:
        self._size = size
        self._longest = longest
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: list[T] = []
        self._taken = clock()

    def add(self, item: T) -> list[T]:
        """A whole batch, if this item completes one or the last one was long ago; else nothing."""
        with self._lock:
            self._waiting.append(item)
            if len(self._waiting) < self._size and self._clock() - self._taken < self._longest:
                return []
            return self._take()

    def rest(self) -> list[T]:
        """What is left."""
        with self._lock:
            return self._take()

    def _take(self) -> list[T]:
        taken, self._waiting = self._waiting, []
        self._taken = self._clock()
        return taken
