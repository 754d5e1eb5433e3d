"""The Dagster instance that the command line and the UI share.

Here: its folder, its dagster.yaml, and its preparation. Keep out: runs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import yaml

from orgdata_dagster import settings
from orgdata_dagster.dagster_internals.migrations import read_once
from orgdata_dagster.dagster_internals.storage import batched_event_log
from orgdata_dagster.orchestration.instance.orphaned_runs import reap
from orgdata_dagster.orchestration.instance.pools import apply_limits
from orgdata_dagster.orchestration.instance.run_queue import FairQueue
from orgdata_dagster.orchestration.shared_state import shared_state
from orgdata_dagster.private import keep_private

_LOCK = "instance"
# a run takes seconds to start: two start side by side; more of them would starve each other on a small machine
_QUEUE = f"""
run_coordinator:
  module: {FairQueue.__module__}
  class: {FairQueue.__name__}
  config: {{dequeue_use_threads: true, dequeue_num_workers: 2}}
"""
_OWN = Path(__file__).with_name("dagster.yaml")  # a link, so that an installed package has it too


def prepare_home() -> str:
    """Set DAGSTER_HOME to ORGDATA_HOME/dagster unless it is already set, make it absolute, and return it.

    Unless it was set, copies the project's dagster.yaml there (orgdata's own if the project has none), with a batched
    event log if the file leaves storage to Dagster, and with the queue in which vendors take turns if it leaves that to
    Dagster.
    """
    keep_private()
    configured, folder = os.environ.get(settings.DAGSTER_HOME), settings.dagster_home()
    os.environ[settings.DAGSTER_HOME] = str(folder)
    if configured:
        return str(folder)
    source, copy = settings.project_root() / "dagster.yaml", folder / "dagster.yaml"
    text = (source if source.exists() else _OWN).read_text()
    text += _event_log(folder) if _has_no(text, "storage") else ""
    text += _QUEUE if _has_no(text, "run_queue", "run_coordinator") else ""
    if not copy.exists() or copy.read_text() != text:  # other processes may be reading it
        copy.write_text(text)
    return str(folder)


def _has_no(text: str, *names: str) -> bool:
    """Whether a dagster.yaml configures none of these; what a project configures itself is not changed."""
    return not any(name in key for name in names for key in yaml.safe_load(text) or {})


def _event_log(folder: Path) -> str:
    """The YAML to append: the same storage with batched events. Its folder must be an absolute path."""
    if (found := batched_event_log()) is None:
        return ""
    module, name = found
    storage = {"module": module, "class": name, "config": {"base_dir": str(folder / "history" / "runs")}}
    return "\n" + yaml.safe_dump({"event_log_storage": storage})


@contextmanager
def shared_instance() -> Iterator[dg.DagsterInstance]:
    """Open the instance; create it if needed."""
    with shared_state().lock(_LOCK):  # two processes must not create its tables at the same time
        prepare_home()
        read_once()
        instance = dg.DagsterInstance.get()
    with instance:
        yield instance


def make_ready(instance: dg.DagsterInstance, resources: Mapping[str, object]) -> list[str]:
    """Set the pool limits and clean up after killed processes; returns the ids of orphaned runs."""
    with shared_state().lock(_LOCK):
        dead = reap(instance)
        apply_limits(instance, resources)
    return dead
