"""What a run tells whoever watches it, besides its log: small facts, not sentences.

Here: `report` and `watch`. Add here: another fact. Keep out: how it is shown (cli).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """How far the run of an asset is: `unit`s done and in all, pages and rows so far, seconds of rate limit waits.

    `superseded`: of the done ones those that were not stored, because a newer snapshot was there already.
    """

    asset: str
    done: int
    total: int
    pages: int
    rows: int
    waited: float
    unit: str = "partitions"
    page: str = "pages"
    superseded: int = 0


@dataclass(frozen=True)
class Waiting:
    """What the run of an asset waits for at present, as a clause."""

    asset: str
    what: str


ProgressReport = Progress | Waiting
Watcher = Callable[[ProgressReport], None]
_watchers: list[Watcher] = []


def report(progress: ProgressReport) -> None:
    """Tell everybody who watches in this process."""
    for watcher in _watchers:
        watcher(progress)


@contextmanager
def watch(watcher: Watcher) -> Iterator[None]:
    """Have `watcher` called until the context ends, from whichever thread reports."""
    _watchers.append(watcher)
    try:
        yield
    finally:
        _watchers.remove(watcher)
