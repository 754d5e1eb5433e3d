"""Runs in processes beside the command: real Dagster runs, several at a time.

Here: one run from the inside of a worker process, and the pool of workers. Keep out: choosing what to run (pull.py).

Workers are forked from a server (worker_server.py). A worker ends with its parent, even if that is killed: nothing goes
on asking a vendor in secret.

A run is executed beside the worker's main thread, which waits for signals. So a signal interrupts nothing at an
arbitrary point: what waits in the run is told to stop (http/stopping.py), a commit is finished, and the run ends as
canceled. What takes too long is killed by the command, and the database rolls it back.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from multiprocessing import connection
from multiprocessing.context import ForkServerContext
from multiprocessing.util import Finalize
from typing import Any

import dagster as dg

from orgdata_dagster.cli import worker_server
from orgdata_dagster.http import stopping
from orgdata_dagster.http.redaction import excerpt
from orgdata_dagster.orchestration.assets.metadata import SUPERSEDED
from orgdata_dagster.orchestration.assets.progress import ProgressReport, watch
from orgdata_dagster.orchestration.instance.processes import identity
from orgdata_dagster.orchestration.reasons import of_failed_step
from orgdata_dagster.orchestration.tags import PROCESS_TAG, RANGE_END, RANGE_START

_HOME = "DAGSTER_HOME"
_PATIENCE = 1.8  # seconds that workers may take to end


@dataclass(frozen=True)
class Task:
    """One run: an asset, its partitions `[first, last]` where it has some, and tags that tell the run how to pull."""

    asset: str
    first: str | None
    last: str | None
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """How a run ended: its id, and in one line why it failed (None if it did not).

    `superseded`: the partitions ("all" for a table without partitions) whose rows were not stored, because the
    warehouse had a newer snapshot of them already.
    """

    task: Task
    run_id: str
    error: str | None
    superseded: tuple[str, ...] = ()


@contextmanager
def executor(workers: int) -> Iterator[tuple[ProcessPoolExecutor, multiprocessing.Queue[ProgressReport]]]:
    """A pool of workers, and the queue on which they report progress. Where the block is left early, the workers end
    their runs, or are killed after a moment."""
    worker_server.start()
    context: ForkServerContext = multiprocessing.get_context("forkserver")
    progress: multiprocessing.Queue[ProgressReport] = context.Queue()
    given = (progress, os.environ[_HOME])
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_begin, initargs=given)
    try:
        yield pool, progress
    except BaseException:
        _stop()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _stop() -> None:
    deadline = time.monotonic() + _PATIENCE
    left = {worker.sentinel: worker for worker in multiprocessing.active_children()}
    for worker in left.values():
        worker.terminate()
    while left and (patience := deadline - time.monotonic()) > 0:
        for ended in connection.wait(list(left), patience):
            del left[ended]  # type: ignore[arg-type]
    for worker in left.values():
        worker.kill()


def run(task: Task) -> Outcome:
    """Materialize a task's asset in a Dagster run of the shared instance."""
    global _running
    with ThreadPoolExecutor(1, thread_name_prefix="run") as beside:
        _running = str(uuid.uuid4())
        try:
            return beside.submit(_run, task, _running).result()
        finally:
            _running = None
            if stopping.stopping():
                _end()


def _run(task: Task, run_id: str) -> Outcome:
    tags = {PROCESS_TAG: identity(), **task.tags}
    if task.first and task.last:
        tags |= {RANGE_START: task.first, RANGE_END: task.last}
    with watch(_queue.put):
        result = job().execute_in_process(
            run_id=run_id,
            instance=_instance(),
            asset_selection=[dg.AssetKey(task.asset.split("/"))],
            tags=tags,
            raise_on_error=False,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
    error = None if result.success else _reason(result.all_events)
    return Outcome(task, run_id, error, _superseded(result.all_events))


@cache
def _instance() -> dg.DagsterInstance:
    """The shared instance, opened once a worker: to look whether its tables are up to date takes Dagster a while."""
    instance = dg.DagsterInstance.get()
    Finalize(None, instance.dispose, exitpriority=0)  # when the worker ends; nothing else runs then
    return instance


@cache
def job() -> dg.JobDefinition:
    """The job with all of the project's assets, which do not change while a worker lives."""
    from orgdata_dagster.cli import catalog  # the server has it; importing it here keeps the module light

    return catalog.load().job


def _reason(events: Sequence[dg.DagsterEvent]) -> str:
    """The failed step's own words, in one line."""
    for event in events:
        if event.is_step_failure and (told := of_failed_step(event)):
            return told
    failed = [excerpt(" ".join(event.message.split()), 500) for event in events if event.is_failure and event.message]
    return failed[-1] if failed else "the run failed; its log in the UI says why"


def _superseded(events: Sequence[dg.DagsterEvent]) -> tuple[str, ...]:
    landed = [event.step_materialization_data.materialization for event in events if event.is_step_materialization]
    return tuple(sorted(one.partition or "all" for one in landed if SUPERSEDED in one.metadata))


_queue: Any = None
_running: str | None = None  # the id of the run that is executed


def _begin(progress: multiprocessing.Queue[ProgressReport], dagster_home: str) -> None:
    global _queue
    _queue = progress
    os.environ[_HOME] = dagster_home  # the server was started before it was known
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # Ctrl-C in a terminal is the command's, which then tells its workers. Ignored, not handled: Dagster's helpers that
    # copy what a step prints inherit that, and would die of it with a traceback.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _told_to_stop)


def _told_to_stop(*_: object) -> None:
    if _running is None:
        _end()
    if not stopping.stopping():
        stopping.stop()
        if run := _instance().get_run_by_id(_running or ""):
            _instance().report_run_canceling(run, "The command was stopped (SIGTERM or Ctrl-C).")


def _end() -> None:
    """End this process, with the last reports sent; the command asks the instance and the ledger for all else."""
    _queue.close()
    _queue.join_thread()
    os._exit(0)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
