"""Findings about this machine: versions, folders, and who has the warehouse.

Here: what needs no Dagster and no vendor. Keep out: runs (instance.py).
"""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator
from importlib.metadata import requires, version

import duckdb
from packaging.requirements import Requirement

from orgdata_dagster import settings
from orgdata_dagster.cli.doctor.finding import Finding
from orgdata_dagster.orchestration.resources import WarehouseResource
from orgdata_dagster.warehouse.errors import WarehouseError
from orgdata_dagster.warehouse.ledger import store
from orgdata_dagster.warehouse.storage.lock import holder

_LEAST_FREE = 1 << 30


def findings() -> Iterator[Finding]:
    """All of them."""
    yield _versions()
    yield _home()
    yield _warehouse()


def _versions() -> Finding:
    needed = [Requirement(text) for text in requires("orgdata") or () if "extra ==" not in text]
    wrong = [f"{need.name} {version(need.name)} (needs {need.specifier})" for need in needed
             if not need.specifier.contains(version(need.name), prereleases=True)]  # fmt: skip
    have = f"Python {platform.python_version()}, dagster {version('dagster')}, duckdb {version('duckdb')}"
    remedy = "make clean, then make dev: the environment is made anew from constraints.txt"
    return Finding("versions", ", ".join(wrong) or have, not wrong, remedy)


def _home() -> Finding:
    home = settings.home()  # raises where it cannot be made or written
    locked = [path for path in home.iterdir() if not os.access(path, os.W_OK)]
    if locked:
        return Finding("folder", f"{locked[0]} cannot be written", False, f"sudo chown -R $(id -un) {home}")
    free = shutil.disk_usage(home).free
    remedy = f"make room on the disk of {home}, or set {settings.HOME} to another"
    return Finding("folder", f"{home}, {free / (1 << 30):.0f} GB free", free > _LEAST_FREE, remedy)


def _warehouse() -> Finding:
    warehouse = WarehouseResource().open()
    if not warehouse.exists:
        return Finding("warehouse", f"{warehouse.uri}: nothing has been pulled yet")
    writer = holder(warehouse.lock_path)
    if writer is not None and not os.path.exists(f"/proc/{writer}") and os.path.isdir("/proc"):
        writer = None  # of another machine, or gone this moment
    warehouse.patience = 2
    try:
        with warehouse.reading() as connection:
            known = store.exists(connection)
    except (WarehouseError, duckdb.Error) as error:
        return Finding(
            "warehouse", str(error).splitlines()[0], False, f"fuser -v {warehouse.uri} tells who has it open"
        )
    busy = f", process {writer} is writing" if writer else ", nobody is writing"
    return Finding("warehouse", f"{warehouse.uri}{busy}{'' if known else ', no table yet'}")
