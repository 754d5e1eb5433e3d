"""Progress reports of a run for the command line, in addition to its log.

Here: the reports, `report` and `watch`. Add here when: there is another kind of report. Keep out: printing (cli/).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """The progress of an asset's run.

    done, total: number of completed partitions, and of all partitions; `unit` replaces the word "partitions".
    rows, requests: numbers so far.
    waited: seconds in which at least one thread waited for the rate limit.
    superseded: number of completed partitions that were not stored because the warehouse has a newer snapshot.
    """

    asset: str
    done: int
    total: int
    rows: int
    requests: int
    waited: float
    unit: str = "partition"
    superseded: int = 0


@dataclass(frozen=True)
class Waiting:
    """What the run of an asset is waiting for, as a clause."""

    asset: str
    what: str


ProgressReport = Progress | Waiting
Watcher = Callable[[ProgressReport], None]
_watchers: list[Watcher] = []


def report(progress: ProgressReport) -> None:
    """Pass a report to all watchers in this process."""
    for watcher in _watchers:
        watcher(progress)


@contextmanager
def watch(watcher: Watcher) -> Iterator[None]:
    """Call `watcher` for every report until the context ends, in the thread that reports."""
    _watchers.append(watcher)
    try:
        yield
    finally:
        _watchers.remove(watcher)
