"""Interrupting a step: its threads stop waiting, and partitions that have landed are kept.

Here: `beside`, with which every step works, `threads`, the thread pool of a step, and the error that Dagster receives.
Add here when: interrupting every step needs another action. Keep out: signals of commands (cli/), ending a wait
(state/stopping.py).

An interruption arrives as a signal. Dagster raises it in the main thread, at an arbitrary place: an exception between
taking and keeping a lock leaves the lock taken, and DuckDB leaves a statement half done and its transaction open, for
which the process's next connection then waits for ever. Steps therefore never work in the main thread, which only calls
state/stopping.py, so that their waits raise `Stopped`. The worker of a command does the same (cli/workers.py).
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import copy_context
from functools import partial, wraps
from types import FrameType
from typing import ParamSpec, TypeVar

import dagster as dg

from orgdata_dagster.counting import counted
from orgdata_dagster.state import stopping

INTERRUPTS = (stopping.Stopped, dg.DagsterExecutionInterruptedError, KeyboardInterrupt)
_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_EVERY = 0.1  # seconds between two looks at the signals

P = ParamSpec("P")
T = TypeVar("T")


def beside(work: Callable[[], T]) -> T:
    """Return the result of `work`, which runs beside the main thread, so that a signal only ends its waits.

    Raises dagster.DagsterExecutionInterruptedError if there was a signal, after `work` has ended, even if it succeeded;
    also if a wait of `work` was ended.
    """
    if threading.current_thread() is not threading.main_thread():
        try:
            return work()
        except stopping.Stopped as stopped:
            raise dg.DagsterExecutionInterruptedError("stopped") from stopped
    with _noted_signals() as signals:
        try:
            with ThreadPoolExecutor(1, thread_name_prefix="step") as pool:
                running = pool.submit(copy_context().run, work)
                while not wait([running], timeout=_EVERY).done:
                    if signals:
                        stopping.stop()
        finally:
            if signals:  # Dagster may run another step in this process
                stopping.resume()
    error = running.exception()
    if signals and not isinstance(error, dg.DagsterExecutionInterruptedError):
        raise dg.DagsterExecutionInterruptedError(str(error or "") or "stopped") from error
    return running.result()


def uninterrupted(step: Callable[P, T]) -> Callable[P, T]:
    """A decorator for the function of an op or a check, which then runs `beside` the main thread."""

    @wraps(step)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        return beside(partial(step, *args, **kwargs))

    return call


@contextmanager
def _noted_signals() -> Iterator[Sequence[int]]:
    """The signals that arrive in the context, which raise nothing. Only for the main thread."""
    noted: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        noted.append(number)

    before = {number: signal.signal(number, note) for number in _SIGNALS}
    try:
        yield noted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)


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
