"""What a run of `make soak` may take: time, size, memory.

Here: `Limits`, handed to every section. Keep out: the command line (__main__.py).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

SLOW = 180.0  # seconds after which a small command is called stuck
GIGABYTE = 1 << 30


@dataclass(frozen=True)
class Limits:
    """`folder`: for all files; `until`: monotonic; `scale` multiplies rows; `streams` homes are used side by side;
    `match`: only conditions whose name has one of these, by comma; `memories`: bytes of the memory cgroups in which
    large pulls are tried, None for none."""

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
        """Seconds."""
        return self.until - time.monotonic()

    def within(self, seconds: float) -> Limits:
        """The same, for no longer than so many seconds from now."""
        return replace(self, until=min(self.until, time.monotonic() + seconds))

    def in_each_memory(self) -> Iterator[Limits]:
        """The same for each of the `memories`."""
        return (replace(self, memory=memory) for memory in self.memories)

    def rows(self, count: int) -> int:
        return max(8, round(count * self.scale))

    def wants(self, condition: str) -> bool:
        return any(part in condition for part in self.match.split(","))

    @property
    def where(self) -> str:
        """What the conditions' names add."""
        return f", in {self.memory >> 20} MB" if self.memory else ""
