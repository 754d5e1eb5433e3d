"""Claims on runs in the shared state: the claim of a process on its run ends with the process or its machine.

Here: claiming a run (`claim`, `claimed`), and whether the process of a claimed run is alive (`worker`). Keep out:
handling the runs of dead processes (orphaned_runs.py).

Every machine can read a claim. The tag PROCESS_TAG names the process for users. It is only used if there is no claim:
for a run that has just ended, or if the state was deleted.
"""

from __future__ import annotations

import atexit
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from orgdata_dagster.orchestration.shared_state import shared_state
from orgdata_dagster.orchestration.tags import PROCESS_TAG
from orgdata_dagster.state import Held, Holder
from orgdata_dagster.state.processes import alive, identity

_held: dict[str, Held] = {}
_named: set[tuple[str, str]] = set()
"""Runs that have the tag, with the process that it names."""
_lock = threading.Lock()


def claim(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    """Claim a run for this process until it ends or claims another run after this one has ended."""
    with _lock:
        if run.run_id not in _held:
            _release_ended(instance)
            if (held := shared_state().claim(name_of(run.run_id))) is not None:
                _held[run.run_id] = held
    named = (run.run_id, mine := identity())
    if named not in _named and run.tags.get(PROCESS_TAG) != mine:
        instance.add_run_tags(run.run_id, {PROCESS_TAG: mine})
        _named.add(named)  # every step has the tags with which its run began


@contextmanager
def claimed(run_id: str) -> Iterator[None]:
    """Claim a run that will be created, until the context ends."""
    held = shared_state().claim(name_of(run_id))
    if held is not None:
        _held[run_id] = held
    try:
        yield
    finally:
        if held is not None:
            _held.pop(run_id, None)
            held.release()


def worker(run_id: str) -> Holder | None:
    """The process that claimed the run; None if the run is not claimed, or no longer."""
    return shared_state().holder(name_of(run_id))


def is_worked_on(run: dg.DagsterRun) -> bool | None:
    """Whether the process of an unfinished run is alive; None if the run is not claimed yet."""
    if (found := worker(run.run_id)) is not None:
        return found.alive
    process = run.tags.get(PROCESS_TAG)
    return None if process is None else alive(process)


def name_of(run_id: str) -> str:
    """The name of the claim in the shared state."""
    return f"runs/{run_id}"


def _release_ended(instance: dg.DagsterInstance) -> None:
    for run_id in list(_held):
        run = instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            _held.pop(run_id).release()


@atexit.register
def _release_all() -> None:
    while _held:
        _held.popitem()[1].release()
