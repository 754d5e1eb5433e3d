"""Passing the events of a run's partitions to the storage in batches.

Here: `in_batches`. Keep out: storing them (event_log.py; Dagster's own storage in PostgreSQL).

Why: by default, Dagster stores each event in its own transaction. An undocumented variable changes that.
Fallback: a version of Dagster without this variable passes single events.
"""

from __future__ import annotations

import os

_BATCH_SIZE = "DAGSTER_EVENT_BATCH_SIZE"
_EVENTS_AT_ONCE = "500"


def in_batches() -> None:
    """Make Dagster pass events in batches in this process and its children."""
    os.environ.setdefault(_BATCH_SIZE, _EVENTS_AT_ONCE)
