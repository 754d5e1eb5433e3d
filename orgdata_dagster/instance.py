"""The Dagster instance that the command line and the UI share.

Here: where it is and how it is made ready. Keep out: what runs on it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from orgdata_dagster import settings
from orgdata_dagster.orchestration.pools import apply_limits
from orgdata_dagster.orchestration.reaper import reap
from orgdata_dagster.warehouse.lock import locked


def prepare_home() -> str:
    """Set DAGSTER_HOME, unless the user has, to ORGDATA_HOME/dagster with the project's dagster.yaml; returns it."""
    if configured := os.environ.get("DAGSTER_HOME"):
        return configured
    folder = settings.dagster_home()
    source = settings.project_root() / "dagster.yaml"
    if source.exists():
        shutil.copyfile(source, folder / "dagster.yaml")
    os.environ["DAGSTER_HOME"] = str(folder)
    return str(folder)


@contextmanager
def shared_instance() -> Iterator[dg.DagsterInstance]:
    """The instance, made if it is not there yet."""
    with locked(_lock(), shared=False):  # two that make its tables at once would stumble over each other
        prepare_home()
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
