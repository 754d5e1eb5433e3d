"""Waiting of a step for a slot of its pool.

Here: `install`, which makes steps wait without using the CPU, react to signals, and call `on_blocked`.
Keep out: the reaction to a blocked pool (orchestration/instance/blocked_steps.py).

Why: Dagster's in-process executor computes the time until its next attempt as `min(0, ...)`, so it never sleeps. It
captures signals and ignores them until the step starts. It does not free the slot of a process that was killed.
Fallback: Dagster's own wait.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import dagster as dg

from orgdata_dagster.dagster_internals import NotThere, private

OnBlocked = Callable[[dg.DagsterInstance, dg.DagsterRun, str], bool]
"""Called with instance, waiting run and pool after each failed attempt; returns whether a slot may be free now."""
OnBegin = Callable[[dg.DagsterInstance, dg.DagsterRun], None]
"""Called in the run's process before its first step."""

_LONGEST = 5.0  # seconds between two attempts; Dagster's interval grows to 15
_SIGNAL_CHECK = 0.25  # seconds between two checks for a signal

if TYPE_CHECKING:
    from dagster._core.execution.plan.instance_concurrency_context import InstanceConcurrencyContext


def install(on_begin: OnBegin, on_blocked: OnBlocked, stopping: Callable[[], bool]) -> None:
    """Make every run of this process wait in this way. `stopping`: whether the process was requested to stop."""
    with suppress(NotThere), private("way of waiting for a pool"):
        from dagster._core.execution.plan.instance_concurrency_context import InstanceConcurrencyContext
        from dagster._core.executor import in_process

        if in_process.InstanceConcurrencyContext is InstanceConcurrencyContext:
            made = _context(InstanceConcurrencyContext, on_begin, on_blocked, stopping)
            in_process.InstanceConcurrencyContext = made  # type: ignore[misc]


def _context(
    base: type[InstanceConcurrencyContext], on_begin: OnBegin, on_blocked: OnBlocked, stopping: Callable[[], bool]
) -> type[InstanceConcurrencyContext]:
    from dagster._utils.interrupts import pop_captured_interrupt

    class PatientContext(base):  # type: ignore[valid-type, misc]
        """Like Dagster's class, but it sleeps between attempts."""

        def __init__(self, instance: dg.DagsterInstance, dagster_run: dg.DagsterRun) -> None:
            super().__init__(instance, dagster_run)
            self._run = dagster_run
            on_begin(instance, dagster_run)

        def claim(self, concurrency_key: str, step_key: str, step_priority: int = 0) -> bool:
            tries = self._pending_claim_counts[step_key]
            claimed = super().claim(concurrency_key, step_key, step_priority)
            if claimed or tries == self._pending_claim_counts[step_key]:  # not yet time for another attempt
                return claimed
            pause = 0.0 if on_blocked(self._instance, self._run, concurrency_key) else _LONGEST
            self._pending_timeouts[step_key] = min(self._pending_timeouts[step_key], time.time() + pause)
            return False

        def interval_to_next_pending_claim_check(self) -> float:
            if pop_captured_interrupt() or stopping():
                raise dg.DagsterExecutionInterruptedError("interrupted while it waited for a slot of its pool")
            now = time.time()
            return min([_SIGNAL_CHECK, *(max(0.0, at - now) for at in self._pending_timeouts.values())])

    return PatientContext
