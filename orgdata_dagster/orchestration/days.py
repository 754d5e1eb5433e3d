"""Partition keys that are days.

Here: code that does not need Dagster. Keep out: partition definitions (partitions.py).
"""

from __future__ import annotations

from datetime import date


def day_of(name: str | None) -> date | None:
    """The first day of a partition; None if `name` is not a day: the whole table, or another kind of partition."""
    try:
        return date.fromisoformat(name or "")
    except ValueError:
        return None
