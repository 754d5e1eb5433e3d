"""A step that is interrupted: its threads stop waiting, and what they have landed stays.

Here: `threads`, the pool of a step's threads, and how the interruption is told to Dagster. Add here: what every step
with threads has to do when it ends early. Keep out: signals (cli/), how a wait ends (http/stopping.py).

The interruption comes in one of two ways. Dagster raises it in the main thread of a run that the UI launched. The
workers of a command run steps beside their main thread, which tells http/stopping.py, so the waits raise it.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import dagster as dg

from orgdata_dagster.http import stopping

INTERRUPTS = (stopping.Stopped, dg.DagsterExecutionInterruptedError, KeyboardInterrupt)


@contextmanager
def threads(count: int, name: str) -> Iterator[ThreadPoolExecutor]:
    """A pool of threads that is left once all of them have ended: at once, if the block is interrupted."""
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
        if ours:  # Dagster decides what becomes of this process: it may run another step
            stopping.resume()


def interrupted(landed: int, total: int) -> dg.DagsterExecutionInterruptedError:
    """What to tell Dagster, which then knows that nothing is wrong with the step."""
    told = f"stopped after {landed} of {total} partitions have landed; they stay, and a run that continues skips them"
    return dg.DagsterExecutionInterruptedError(told)
