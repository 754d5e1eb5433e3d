"""The rows of one list of the tracker.

Here: adding, changing and deleting rows, and filtering them by time. Add here when: tests need another change.
Keep out: how they are paged (`shapes`).
"""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

Item = dict[str, Any]


class Rows:
    """Rows with an ascending `id` and an `updated_at`. Thread-safe.

    shift: how much later the filter considers instants to be, as a filter in local time does.
    """

    def __init__(self, items: list[Item], *, now: Callable[[], datetime]) -> None:
        self._items = {item["id"]: item for item in items}
        self._next = max(self._items, default=0) + 1
        self.shift = timedelta(0)
        self._now = now
        self._lock = threading.RLock()

    def all(self) -> list[Item]:
        """Every row, by id."""
        with self._lock:
            return [dict(self._items[key]) for key in sorted(self._items)]

    def insert(self, **values: Any) -> int:
        """Add a row; returns its id."""
        with self._lock:
            number = self._next
            self._next += 1
            self._items[number] = {"id": number, "updated_at": text(self._now()), **values}
            return number

    def touch(self, number: int, at: datetime | None = None, **values: Any) -> None:
        """Change a row. `at`: when (default: now)."""
        with self._lock:
            if number in self._items:
                self._items[number] = {**self._items[number], **values, "updated_at": text(at or self._now())}

    def delete(self, number: int) -> None:
        """Remove a row."""
        with self._lock:
            self._items.pop(number, None)

    def between(self, start: datetime | None = None, end: datetime | None = None) -> list[Item]:
        """The rows with `start <= updated_at + shift < end`, in the order of their last change."""
        found = [
            item
            for item in self.all()
            if (start is None or instant(item["updated_at"]) + self.shift >= start)
            and (end is None or instant(item["updated_at"]) + self.shift < end)
        ]
        return sorted(found, key=lambda item: (item["updated_at"], item["id"]))


def text(at: datetime) -> str:
    """An instant as the tracker writes it: in UTC, with milliseconds."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def instant(written: str) -> datetime:
    """Parse an instant; without a zone it is in UTC."""
    found = datetime.fromisoformat(written)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
