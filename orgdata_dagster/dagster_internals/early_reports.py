"""Reporting partitions to Dagster before their step ends.

Here: `EarlyReports`. Keep out: which partitions have landed (orchestration/assets/landing.py).

Why: Dagster reports all partitions of a step when the step ends. The UI would show none of a backfill's days until the
last one has landed. The public `context.log_event` reports at once, but it needs one transaction per event, and Dagster
reports the same partition again at the end.
Fallback: all partitions are reported at the end.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any
from uuid import uuid4

import dagster as dg

from orgdata_dagster.dagster_internals import NotThere, private, require
from orgdata_dagster.dagster_internals.quiet_events import quiet

_reported: dict[tuple[str, str], set[str | None]] = {}
"""Run and step -> the partitions that were reported early."""


class EarlyReports:
    """The partitions of one step that are reported before it ends."""

    def __init__(self, context: dg.AssetExecutionContext) -> None:
        self._context = context
        self._partitions = set[str | None]()
        self._batch = _possible()
        if self._batch:
            _reported[context.run.run_id, context.get_step_execution_context().step.key] = self._partitions

    def __contains__(self, partition: str | None) -> bool:
        return partition in self._partitions

    def add(self, found: Sequence[dg.AssetMaterialization]) -> None:
        """Report partitions now, in one batch, and not again at the end. No-op if this Dagster cannot do it.

        At least one partition of the step must remain for the end.
        """
        if self._batch is None:
            return
        name, step = uuid4().hex, quiet(self._context.get_step_execution_context())
        for number, each in enumerate(found, 1):
            last = self._batch(name, is_end=number == len(found))
            event = dg.DagsterEvent.asset_materialization(step, each, last)
            self._context.op_execution_context._events.append(event)
        self._partitions |= {each.partition for each in found}


def _possible() -> Any:
    """The class that marks the events of a batch; None if this Dagster cannot report early."""
    try:
        with private("reports at the end of a step"):
            from dagster._core.events import DagsterEventBatchMetadata
            from dagster._core.execution.context.op_execution_context import OpExecutionContext
            from dagster._core.execution.plan import execute_step

            require(OpExecutionContext, "log_event", "consume_events", "get_step_execution_context")
            return DagsterEventBatchMetadata if _left_out_at_the_end(execute_step) else None
    except NotThere:
        return None


@cache
def _left_out_at_the_end(module: Any) -> bool:
    """Make Dagster omit early reports at a step's end; returns whether this Dagster supports it."""
    original = module._get_output_asset_events
    signature = inspect.signature(original)
    if not {"asset_partitions", "step_context"} <= signature.parameters.keys():
        return False

    def others(*args: Any, **kwargs: Any) -> Iterator[Any]:
        given = signature.bind(*args, **kwargs)
        step = given.arguments["step_context"]
        early = _reported.pop((step.run_id, step.step.key), set())
        given.arguments["asset_partitions"] = [one for one in given.arguments["asset_partitions"] if one not in early]
        return original(*given.args, **given.kwargs)

    module._get_output_asset_events = others
    return True
