"""The class that stores an instance's events, for its dagster.yaml.

Here: `batched_event_log`. Keep out: the storage itself (event_log.py).

Why: Dagster's own SQLite storage takes two transactions per event and partition, and its class is private.
Fallback: Dagster's own storage, which uses the same files, but is slower.
"""

from __future__ import annotations

from orgdata_dagster.dagster_internals import NotThere, private


def batched_event_log() -> tuple[str, str] | None:
    """Module and class of the storage, for dagster.yaml; None for Dagster's own."""
    try:
        with private("event log"):
            from orgdata_dagster.dagster_internals.event_log import BatchingEventLog
    except NotThere:
        return None
    return BatchingEventLog.__module__, BatchingEventLog.__name__
