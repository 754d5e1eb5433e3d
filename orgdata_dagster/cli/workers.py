"""Worker processes of the command: they execute real Dagster runs, several at a time.

Here: executing one run in a worker, and the pool of workers. Keep out: choosing what to run (pull.py).

Workers are forked from the command, which has imported and loaded everything once; a fresh interpreter per worker would
take seconds. They are forked together, before the command starts a thread and while no database is open: neither would
survive a fork. A worker ends with the command, even if the command is killed, so that no requests are sent afterwards.

A run is executed in a second thread, while the worker's main thread waits for signals. A signal therefore never
interrupts a run at an arbitrary point: waits end (state/stopping.py), a commit is completed, and the run ends as
canceled. The command kills a worker that takes too long; the database then rolls its transaction back.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from multiprocessing import connection
from multiprocessing.util import Finalize
from typing import TYPE_CHECKING, Any

import dagster as dg

from orgdata_dagster.cli.signals import blocked, unblock
from orgdata_dagster.dagster_internals import job_snapshots, warm_modules
from orgdata_dagster.http.redaction import excerpt
from orgdata_dagster.orchestration.assets.metadata import SUPERSEDED
from orgdata_dagster.orchestration.assets.progress import ProgressReport, watch
from orgdata_dagster.orchestration.instance.run_claims import claimed
from orgdata_dagster.orchestration.reasons import of_failed_step
from orgdata_dagster.orchestration.tags import PROCESS_TAG, RANGE_END, RANGE_START
from orgdata_dagster.state import stopping
from orgdata_dagster.state.processes import identity

if TYPE_CHECKING:
    Reports = multiprocessing.Queue[ProgressReport]

_UNKNOWN = "the run failed; its log in the UI says why"
PATIENCE = 1.8  # seconds that workers may take to end
# Modules that every run needs, and that would be imported once per worker by its first run.
WARM = (
    *warm_modules.MODULES,
    "orgdata_dagster.dagster_internals.event_log",
    "httpcore",
    "encodings.idna",
)
# A run creates hundreds of thousands of objects that live until it ends. With Python's default thresholds, the garbage
# collector examines them again and again, which takes a tenth of the run's CPU time.
_COLLECT_AFTER = (50_000, 20, 20)


@dataclass(frozen=True)
class Task:
    """One asset to run.

    first, last: the range of partitions; None for an asset without partitions.
    tags: tags of the run, which decide how it pulls.
    """

    asset: str
    first: str | None
    last: str | None
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """How the run of a task ended.

    error: why it failed, in one line; None if it succeeded.
    superseded: the partitions ("all" for a table without partitions) whose rows were not stored, because the warehouse
        already had a newer snapshot of them.
    """

    task: Task
    run_id: str
    error: str | None
    superseded: tuple[str, ...] = ()


@contextmanager
def executor(
    workers: int, job: dg.JobDefinition, *, with_pandas: bool = True
) -> Iterator[tuple[ProcessPoolExecutor, Reports]]:
    """A pool of workers that run assets of `job`, and the queue on which they report progress.

    If the block is left by an exception, the workers end their runs; after 1.8 s they are killed.

    Call it while the process has one thread and no database open.
    """
    hidden = not with_pandas and "pandas" not in sys.modules
    if hidden:
        sys.modules["pandas"] = None  # type: ignore[assignment] # so that nothing in the workers imports it
    for module in (*WARM, "pandas"):
        with suppress(ImportError):
            import_module(module)
    job_snapshots.make_once(job)
    context = multiprocessing.get_context("fork")
    progress: Reports = context.Queue()
    held, lifeline = os.pipe()
    pool = ProcessPoolExecutor(
        workers, mp_context=context, initializer=_begin, initargs=(progress, job, held, lifeline)
    )
    with blocked():  # until each worker has set its own signal handlers
        gc.freeze()  # what is loaded stays, so the workers need not collect it
        pool.submit(os.getpid)  # forks all of them now; the pool has a thread afterwards
    gc.enable()
    os.close(held)
    if hidden:
        del sys.modules["pandas"]
    try:
        yield pool, progress
    except BaseException:
        _stop()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
        os.close(lifeline)


def _stop() -> None:
    deadline = time.monotonic() + PATIENCE
    left = {worker.sentinel: worker for worker in multiprocessing.active_children()}
    for worker in left.values():
        worker.terminate()
    while left and (patience := deadline - time.monotonic()) > 0:
        for ended in connection.wait(list(left), patience):
            del left[ended]  # type: ignore[arg-type]
    for worker in left.values():
        worker.kill()


def run(tasks: Sequence[Task]) -> list[Outcome]:
    """Materialize the assets of some tasks in one Dagster run of the shared instance.

    The tasks have the same partitions and tags.
    """
    global _running
    with ThreadPoolExecutor(1, thread_name_prefix="run") as beside:
        _running = str(uuid.uuid4())
        try:
            return beside.submit(_run, tasks, _running).result()
        finally:
            _running = None
            if stopping.stopping():
                _end()


def _run(tasks: Sequence[Task], run_id: str) -> list[Outcome]:
    first = tasks[0]
    tags = {PROCESS_TAG: identity(), **first.tags}
    if first.first and first.last:
        tags |= {RANGE_START: first.first, RANGE_END: first.last}
    keys = [dg.AssetKey(task.asset.split("/")) for task in tasks]
    with watch(_queue.put), claimed(run_id):
        result = _job.execute_in_process(
            run_id=run_id,
            instance=instance(),
            asset_selection=keys,
            tags=tags,
            raise_on_error=False,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
    return [_outcome(task, key, result) for task, key in zip(tasks, keys, strict=True)]


def _outcome(task: Task, key: dg.AssetKey, result: dg.ExecuteInProcessResult) -> Outcome:
    events = result.all_events
    superseded = _superseded([event for event in events if event.asset_key == key])
    if result.success:
        return Outcome(task, result.run_id, None, superseded)
    mine = [event for event in events if event.step_key == key.to_python_identifier()]
    shared = len(result.dagster_run.asset_selection or ()) > 1
    if shared and any(event.is_step_success for event in mine):  # the step of another table has failed
        return Outcome(task, result.run_id, None, superseded)
    return Outcome(task, result.run_id, _reason(mine) or _reason(events) or _UNKNOWN, superseded)


@cache
def instance() -> dg.DagsterInstance:
    """The shared instance, opened once per worker, because Dagster checks its tables each time."""
    opened = dg.DagsterInstance.get()
    Finalize(None, opened.dispose, exitpriority=0)  # when the worker ends; nothing else runs then
    return opened


def _reason(events: Sequence[dg.DagsterEvent]) -> str | None:
    """Why a step failed, in one line; None if no event says so."""
    for event in events:
        if event.is_step_failure and (message := of_failed_step(event)):
            return message
    failed = [excerpt(" ".join(event.message.split()), 500) for event in events if event.is_failure and event.message]
    return failed[-1] if failed else None


def _superseded(events: Sequence[dg.DagsterEvent]) -> tuple[str, ...]:
    landed = [event.step_materialization_data.materialization for event in events if event.is_step_materialization]
    return tuple(sorted(one.partition or "all" for one in landed if SUPERSEDED in one.metadata))


_queue: Any = None
_job: Any = None
_running: str | None = None  # the id of the run that is executed


def serve(progress: Reports, job: dg.JobDefinition) -> None:
    """Make this process execute the assets of `job`, and report progress on a queue."""
    global _queue, _job
    _queue, _job = progress, job


def _begin(progress: Reports, job: dg.JobDefinition, held: int, lifeline: int) -> None:
    serve(progress, job)
    gc.set_threshold(*_COLLECT_AFTER)
    gc.enable()
    os.close(lifeline)  # the command alone holds it
    threading.Thread(target=_end_with_command, args=(held,), daemon=True).start()
    # The command handles Ctrl-C and then sends SIGTERM to its workers. SIGINT is ignored, not handled, since Dagster's
    # helpers that copy the output of a step inherit this, and would otherwise end with a traceback.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _stop_run)
    unblock()


def _stop_run(*_: object) -> None:
    if _running is None:
        _end()
    if not stopping.stopping():
        stopping.stop()
        if run := instance().get_run_by_id(_running or ""):
            instance().report_run_canceling(run, "The command was stopped (SIGTERM or Ctrl-C).")


def _end() -> None:
    """End this process after sending the last reports; the command reads everything else from the instance."""
    _queue.close()
    _queue.join_thread()
    os._exit(0)


def _end_with_command(held: int) -> None:
    """Wait for the command to end, however it ends: the kernel then closes the other end of the pipe."""
    while os.read(held, 1):
        pass
    os._exit(1)
