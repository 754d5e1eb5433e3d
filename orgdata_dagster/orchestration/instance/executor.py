"""The executor of all runs: Dagster's own, in the run's process, which claims the run before its first step.

Here: `claiming_executor`. Keep out: claims (run_claims.py), and runs of `orgdata pull`, which claims them itself.

If the run were claimed later, and its process died before that, nobody could know whether the run is still worked on,
and Dagster would fail it only after `max_runtime_seconds`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dagster as dg

from orgdata_dagster.orchestration.instance.run_claims import claim


class _Claiming(dg.Executor):
    """Claims the run, then executes it with `inner`."""

    def __init__(self, inner: dg.Executor) -> None:
        self._inner = inner

    @property
    def retries(self) -> Any:
        return self._inner.retries

    def execute(self, plan_context: Any, execution_plan: Any) -> Iterator[Any]:
        claim(plan_context.instance, plan_context.dagster_run)
        yield from self._inner.execute(plan_context, execution_plan)


def _make(context: dg.InitExecutorContext) -> dg.Executor:
    make = dg.in_process_executor.executor_creation_fn
    assert make is not None
    return _Claiming(make(context))


claiming_executor = dg.ExecutorDefinition(
    name=dg.in_process_executor.name,
    config_schema=dg.in_process_executor.config_schema,  # type: ignore[arg-type]  # what Dagster itself passes
    description=dg.in_process_executor.description,
    executor_creation_fn=_make,
)
