"""The limits of a run of `make soak`: time, size and memory.

Here: `Limits`, which every section receives. Keep out: the command line (__main__.py).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

SLOW = 180.0  # seconds after which a small command counts as stuck
GIGABYTE = 1 << 30


@dataclass(frozen=True)
class Limits:
    """The limits of a run or of a section.

    folder: for all files.
    until: no trial starts later, by the monotonic clock.
    scale: multiplies rows.
    streams: number of homes that are used concurrently.
    memory: the memory limit of commands in bytes; None: no limit.
    match: only conditions whose name contains one of these parts, separated by commas.
    memories: the memory limits with which large pulls are tried.
    """

    folder: Path
    until: float
    scale: float = 1
    kills: int = 50
    streams: int = 2
    memory: int | None = None
    match: str = ""
    memories: tuple[int | None, ...] = (None,)

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return self.until - time.monotonic()

    def within(self, seconds: float) -> Limits:
        """The same limits, but at most this many seconds from now."""
        return replace(self, until=min(self.until, time.monotonic() + seconds))

    def in_each_memory(self) -> Iterator[Limits]:
        """The same limits with each of the `memories`."""
        return (replace(self, memory=memory) for memory in self.memories)

    def rows(self, count: int) -> int:
        return max(8, round(count * self.scale))

    def wants(self, condition: str) -> bool:
        return any(part in condition for part in self.match.split(","))

    @property
    def where(self) -> str:
        """The memory limit, as a suffix of the names of conditions."""
        return f", in {self.memory >> 20} MB" if self.memory else ""
