"""The Dagster instance that the command line and the UI share.

Here: its folder, its dagster.yaml, and its preparation. Keep out: runs.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import yaml

from orgdata_dagster import settings
from orgdata_dagster.dagster_internals.event_log_class import batched_event_log
from orgdata_dagster.dagster_internals.migrations import read_once
from orgdata_dagster.dagster_internals.storage_engines import keep
from orgdata_dagster.file_modes import keep_private
from orgdata_dagster.orchestration.instance.orphaned_runs import reap
from orgdata_dagster.orchestration.instance.pools import apply_limits
from orgdata_dagster.orchestration.instance.run_queue import FairQueue
from orgdata_dagster.orchestration.shared_state import shared_state

_LOCK = "instance"
# Starting a run takes seconds of CPU time. Two start at the same time; more would slow each other down on a small
# machine.
_QUEUE = f"""
run_coordinator:
  module: {FairQueue.__module__}
  class: {FairQueue.__name__}
  config: {{dequeue_use_threads: true, dequeue_num_workers: 2}}
"""
_OWN = Path(__file__).with_name("dagster.yaml")  # a link, so that an installed package has it too


def prepare_home() -> str:
    """Set DAGSTER_HOME to ORGDATA_HOME/dagster unless it is already set, make it absolute, and return it.

    If it was not set, the project's dagster.yaml is copied there, or orgdata's own if the project has none. Two parts
    are added to the copy unless the file configures them itself: an event log that stores events in batches, and a
    queue of runs in which vendors take turns.
    """
    keep_private()
    configured, folder = os.environ.get(settings.DAGSTER_HOME), settings.dagster_home()
    os.environ[settings.DAGSTER_HOME] = str(folder)
    if configured:
        return str(folder)
    source, copy = settings.project_root() / "dagster.yaml", folder / "dagster.yaml"
    text = (source if source.exists() else _OWN).read_text()
    keys = yaml.safe_load(text) or {}
    text += _event_log(folder) if _has_no(keys, "storage") else ""
    text += _QUEUE if _has_no(keys, "run_queue", "run_coordinator") else ""
    if not copy.exists() or copy.read_text() != text:  # other processes may be reading it
        copy.write_text(text)
    return str(folder)


def _has_no(keys: Iterable[str], *names: str) -> bool:
    """Whether no top-level key of a dagster.yaml contains one of these names."""
    return not any(name in key for name in names for key in keys)


def _event_log(folder: Path) -> str:
    """The YAML to append: the same storage with batched events. Its folder must be an absolute path."""
    if (found := batched_event_log()) is None:
        return ""
    module, name = found
    storage = {"module": module, "class": name, "config": {"base_dir": str(folder / "history" / "runs")}}
    return "\n" + yaml.safe_dump({"event_log_storage": storage})


@contextmanager
def shared_instance() -> Iterator[dg.DagsterInstance]:
    """Open the instance, and create it if it does not exist."""
    with shared_state().lock(_LOCK):  # two processes must not create its tables at the same time
        prepare_home()
        read_once()
        keep()
        instance = dg.DagsterInstance.get()
    with instance:
        yield instance


def make_ready(instance: dg.DagsterInstance, resources: Mapping[str, object]) -> list[str]:
    """Set the pool limits and clean up after killed processes; returns the ids of orphaned runs."""
    with shared_state().lock(_LOCK):
        dead = reap(instance)
        apply_limits(instance, resources)
    return dead
