"""Storing the events of a step's partitions without logging each of them.

Here: `quiet`, a replacement of a step's context that stores events directly; `install`, which makes Dagster use it.
Keep out: how a storage stores them (event_log.py); creating events.

Why: Dagster passes every event through Python's logging. It creates two log records, an id and a text, which are
redacted but never read. For a partition this takes longer than storing the event. The UI shows the same without it.
Fallback: events pass through the log.
"""

from __future__ import annotations

from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import dagster as dg

from orgdata_dagster.dagster_internals import NotThere, private


class _Store:
    """A replacement of a step's log that stores events directly."""

    def __init__(self, instance: dg.DagsterInstance, run_id: str) -> None:
        self._instance = instance
        self._run_id = run_id

    def log_dagster_event(
        self, level: int, msg: str, dagster_event: dg.DagsterEvent, batch_metadata: Any = None
    ) -> None:
        """Store an event. `msg` is ignored, because the event contains it."""
        del msg
        self._instance.report_dagster_event(dagster_event, self._run_id, level, batch_metadata=batch_metadata)


def quiet(step: Any) -> Any:
    """The parts of a step's context that Dagster needs to create an event, with a log that stores events directly."""
    return SimpleNamespace(
        step=step.step,
        job_name=step.job_name,
        event_tags=step.event_tags,
        log=_Store(step.instance, step.run_id),
    )


def install() -> None:
    """Make every run of this process store the events of partitions directly. Can be called repeatedly."""
    with suppress(NotThere), private("events of a step's partitions"):
        from dagster._core.execution.plan import execute_step

        original = execute_step._dagster_event_for_asset_event
        if original.__module__ == __name__:
            return

        def stored(step_context: Any, asset_event: Any, batch_metadata: Any) -> Any:
            context = quiet(step_context) if batch_metadata is not None else step_context
            return original(context, asset_event, batch_metadata)

        execute_step._dagster_event_for_asset_event = stored
