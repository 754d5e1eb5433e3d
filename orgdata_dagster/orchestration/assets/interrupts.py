"""Interrupting a step: its threads stop waiting, and partitions that have landed are kept.

Here: `threads`, the thread pool of a step, and the error that Dagster receives. Add here when: interrupting every step
needs another action. Keep out: signals (cli/), ending a wait (http/stopping.py).

An interruption arrives in one of two ways. In a run that the UI launched, Dagster raises it in the main thread. In a
command, steps run beside the worker's main thread, which calls http/stopping.py, so that their waits raise it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager

import dagster as dg

from orgdata_dagster.counting import counted
from orgdata_dagster.http import stopping

INTERRUPTS = (stopping.Stopped, dg.DagsterExecutionInterruptedError, KeyboardInterrupt)


@contextmanager
def threads(count: int, name: str) -> Iterator[ThreadPoolExecutor]:
    """A thread pool whose context ends when all threads have ended. An interruption ends their waits at once."""
    ours = False
    try:
        with ThreadPoolExecutor(count, thread_name_prefix=name) as pool:
            try:
                yield pool
            except INTERRUPTS:
                ours = not stopping.stopping()
                stopping.stop()
                raise
    finally:
        if ours:  # Dagster may run another step in this process
            stopping.resume()


def all_ended(threads: Sequence[Future[None]], seconds: float) -> bool:
    """Wait at most this many seconds; returns whether all threads have ended. Raises the error of a failed thread."""
    ended, running = wait(threads, timeout=seconds, return_when=FIRST_EXCEPTION)
    for thread in ended:
        thread.result()
    return not running


def interrupted(landed: int, total: int) -> dg.DagsterExecutionInterruptedError:
    """The error that marks the step as canceled, not as failed, in Dagster."""
    text = f"stopped after {landed} of {counted(total, 'partition', 'have')} landed; a run that continues skips them"
    return dg.DagsterExecutionInterruptedError(text)
