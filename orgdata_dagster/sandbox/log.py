"""The server's log: which requests arrived when, what they cost, and how they ended.

Here: the entries, in memory, and figures that tests need (the busiest window, the most concurrent requests).
Add here when: a test needs another fact about the requests.
Keep out: credentials (secret query values are replaced by stars before they get here), and verdicts (`limits`).
"""

import threading
import time
from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class Entry:
    """One request. `arrived` and `finished` are monotonic seconds, `at` is the wall clock (epoch seconds)."""

    request_id: str
    vendor: str
    endpoint: str
    method: str
    query: dict[str, str]
    at: float = field(default_factory=time.time)
    arrived: float = field(default_factory=time.monotonic)
    finished: float | None = None
    status: int | None = None  # None: the connection was reset before an answer
    cost: int = 0
    rows: int | None = None
    bytes: int = 0
    fault: str | None = None  # the kind of the fault played, if any
    error: str | None = None  # an exception inside the sandbox, which is a bug of the sandbox


class SandboxLog:
    """The last `keep` requests of all vendors, in the order they arrived. Thread-safe."""

    def __init__(self, keep: int = 100_000) -> None:
        self._entries: deque[Entry] = deque(maxlen=keep)
        self._lock = threading.Lock()

    def add(self, entry: Entry) -> Entry:
        """Record a request on arrival, so that requests that never end are in the log too."""
        with self._lock:
            self._entries.append(entry)
        return entry

    def entries(self, vendor: str | None = None, statuses: Collection[int] | None = None) -> list[Entry]:
        """The entries, optionally of one vendor and of some statuses only."""
        with self._lock:
            found = list(self._entries)
        return [
            e for e in found if (vendor is None or e.vendor == vendor) and (statuses is None or e.status in statuses)
        ]

    def clear(self) -> None:
        """Delete all entries."""
        with self._lock:
            self._entries.clear()

    def as_json(self, vendor: str | None = None) -> list[dict[str, Any]]:
        """The entries as JSON objects."""
        return [asdict(entry) for entry in self.entries(vendor)]


def busiest(entries: Iterable[Entry], seconds: float) -> int:
    """The highest total cost that arrived within any window of this length (without its end)."""
    window: deque[Entry] = deque()
    cost = most = 0
    for entry in sorted(entries, key=lambda e: e.arrived):
        window.append(entry)
        cost += entry.cost
        while entry.arrived - window[0].arrived >= seconds:
            cost -= window.popleft().cost
        most = max(most, cost)
    return most


def most_at_once(entries: Iterable[Entry]) -> int:
    """The highest number of concurrent requests."""
    moments: list[tuple[float, int]] = []
    for entry in entries:
        moments.append((entry.arrived, 1))
        if entry.finished is not None:
            moments.append((entry.finished, -1))
    now = most = 0
    for _, step in sorted(moments):  # at the same moment, an end (-1) counts before a start
        now += step
        most = max(most, now)
    return most
