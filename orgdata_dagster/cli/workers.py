"""Worker processes of the command: they execute real Dagster runs, several at a time.

Here: executing one run in a worker, and the pool of workers. Keep out: choosing what to run (pull.py).

Workers are forked from the command itself, which has imported and loaded everything once: a fresh interpreter for each
would take seconds. They are forked together, before the command starts a thread and while it has no database open,
because neither survives a fork. A worker ends with the command, even if the command is killed, so that no requests are
sent afterwards.

A run is executed in a second thread, while the worker's main thread waits for signals. A signal therefore interrupts
nothing at an arbitrary point: waits in the run end (http/stopping.py), a commit is finished, and the run ends as
canceled. The command kills a worker that takes too long, and the database rolls its transaction back.
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
from orgdata_dagster.dagster_internals import warm_modules
from orgdata_dagster.http import stopping
from orgdata_dagster.http.redaction import excerpt
from orgdata_dagster.orchestration.assets.metadata import SUPERSEDED
from orgdata_dagster.orchestration.assets.progress import ProgressReport, watch
from orgdata_dagster.orchestration.instance.claims import claimed
from orgdata_dagster.orchestration.reasons import of_failed_step
from orgdata_dagster.orchestration.tags import PROCESS_TAG, RANGE_END, RANGE_START
from orgdata_dagster.state.processes import identity

if TYPE_CHECKING:
    Reports = multiprocessing.Queue[ProgressReport]

_UNKNOWN = "the run failed; its log in the UI says why"
_PATIENCE = 1.8  # seconds that workers may take to end
# What every run needs and what is imported only with the first run otherwise: once instead of once per worker.
WARM = (
    *warm_modules.MODULES,
    "orgdata_dagster.dagster_internals.event_log",
    "httpcore",
    "encodings.idna",
)
# A run makes hundreds of thousands of objects that live until it ends. With Python's own thresholds the collector looks
# through them time and again, for a tenth of the run's CPU time.
_COLLECT_AFTER = (50_000, 20, 20)


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
def executor(
    workers: int, job: dg.JobDefinition, *, with_pandas: bool = True
) -> Iterator[tuple[ProcessPoolExecutor, Reports]]:
    """A pool of workers that run assets of `job`, and the queue on which they report progress. Where the block is left
    early, the workers end their runs, or are killed after a moment.

    Call it while the process has one thread and no database open.
    """
    hidden = not with_pandas and "pandas" not in sys.modules
    if hidden:
        sys.modules["pandas"] = None  # type: ignore[assignment] # nothing in the workers can import it
    for module in (*WARM, "pandas"):
        with suppress(ImportError):
            import_module(module)
    context = multiprocessing.get_context("fork")
    progress: Reports = context.Queue()
    held, lifeline = os.pipe()
    pool = ProcessPoolExecutor(
        workers, mp_context=context, initializer=_begin, initargs=(progress, job, held, lifeline)
    )
    with blocked():  # what a worker does about signals it can only say once it is there
        gc.freeze()  # what is loaded by now stays: no worker need look through it for garbage, time and again
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
    deadline = time.monotonic() + _PATIENCE
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
            instance=_instance(),
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
def _instance() -> dg.DagsterInstance:
    """The shared instance, opened once a worker: to look whether its tables are up to date takes Dagster a while."""
    instance = dg.DagsterInstance.get()
    Finalize(None, instance.dispose, exitpriority=0)  # when the worker ends; nothing else runs then
    return instance


def _reason(events: Sequence[dg.DagsterEvent]) -> str | None:
    """The failed step's own words, in one line."""
    for event in events:
        if event.is_step_failure and (told := of_failed_step(event)):
            return told
    failed = [excerpt(" ".join(event.message.split()), 500) for event in events if event.is_failure and event.message]
    return failed[-1] if failed else None


def _superseded(events: Sequence[dg.DagsterEvent]) -> tuple[str, ...]:
    landed = [event.step_materialization_data.materialization for event in events if event.is_step_materialization]
    return tuple(sorted(one.partition or "all" for one in landed if SUPERSEDED in one.metadata))


_queue: Any = None
_job: Any = None
_running: str | None = None  # the id of the run that is executed


def _begin(progress: Reports, job: dg.JobDefinition, held: int, lifeline: int) -> None:
    global _queue, _job
    _queue, _job = progress, job
    gc.set_threshold(*_COLLECT_AFTER)
    gc.enable()
    os.close(lifeline)  # the command alone holds it
    threading.Thread(target=_end_with_command, args=(held,), daemon=True).start()
    # Ctrl-C in a terminal is the command's, which then tells its workers. Ignored, not handled: Dagster's helpers that
    # copy what a step prints inherit that, and would die of it with a traceback.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _told_to_stop)
    unblock()


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


def _end_with_command(held: int) -> None:
    """The kernel closes the other end when the command dies, however it dies."""
    while os.read(held, 1):
        pass
    os._exit(1)
