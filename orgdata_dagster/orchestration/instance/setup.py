"""The Dagster instance that the command line and the UI share.

Here: where it is and how it is made ready. Keep out: what runs on it.
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
from orgdata_dagster.private import keep_private
from orgdata_dagster.warehouse.storage.lock import locked

_OWN = Path(__file__).with_name("dagster.yaml")  # a link, so that the package has it where it is installed alone


def prepare_home() -> str:
    """Set DAGSTER_HOME, unless the user has, to ORGDATA_HOME/dagster; returns it.

    The project's dagster.yaml, or orgdata's own where it has none, is copied there, with what a single machine needs
    besides.
    """
    keep_private()
    if configured := os.environ.get("DAGSTER_HOME"):
        return configured
    folder = settings.dagster_home()
    source, copy = settings.project_root() / "dagster.yaml", folder / "dagster.yaml"
    text = (source if source.exists() else _OWN).read_text()
    text += _event_log(folder) if _has_no_storage(text) else ""
    if not copy.exists() or copy.read_text() != text:  # other processes may be reading it
        copy.write_text(text)
    os.environ["DAGSTER_HOME"] = str(folder)
    return str(folder)


def _has_no_storage(text: str) -> bool:
    """Whether a dagster.yaml leaves storage to Dagster: one that names a database is left alone."""
    return not any("storage" in name for name in yaml.safe_load(text) or {})


def _event_log(folder: Path) -> str:
    """What to add to a dagster.yaml: the same storage, with events in batches. It must name its folder absolutely."""
    if (found := batched_event_log()) is None:
        return ""
    module, name = found
    storage = {"module": module, "class": name, "config": {"base_dir": str(folder / "history" / "runs")}}
    return "\n" + yaml.safe_dump({"event_log_storage": storage})


@contextmanager
def shared_instance() -> Iterator[dg.DagsterInstance]:
    """The instance, made if it is not there yet."""
    with locked(_lock(), shared=False):  # two that make its tables at once would stumble over each other
        prepare_home()
        read_once()
        instance = dg.DagsterInstance.get()
    with instance:
        yield instance


def make_ready(instance: dg.DagsterInstance, resources: Mapping[str, object]) -> list[str]:
    """Limits of the pools, and no leftovers of killed processes; returns the ids of runs that were found dead."""
    with locked(_lock(), shared=False):
        dead = reap(instance)
        apply_limits(instance, resources)
    return dead


def _lock() -> Path:
    return settings.home() / "instance.lock"
