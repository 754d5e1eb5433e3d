"""Findings about this machine: versions, folders, file modes, memory, and which process holds the warehouse.

Here: findings that need neither Dagster nor a vendor. Keep out: runs (instance.py).
"""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import stat
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from importlib.metadata import requires, version
from pathlib import Path

from packaging.requirements import Requirement

from orgdata_dagster import file_modes, settings
from orgdata_dagster.cli.doctor.finding import Finding, isolated
from orgdata_dagster.counting import counted
from orgdata_dagster.orchestration import opening
from orgdata_dagster.orchestration.shared_state import shared_state
from orgdata_dagster.warehouse.errors import LedgerIncomplete, WarehouseError
from orgdata_dagster.warehouse.ledger import schema
from orgdata_dagster.warehouse.storage.connection import Warehouse
from orgdata_dagster.warehouse.storage.lake import Lake
from orgdata_dagster.warehouse.storage.memory import allowed
from orgdata_dagster.warehouse.storage.postgres_catalog import PostgresCatalog

PATIENCE = 5.0  # seconds to wait for the warehouse
_LEAST_FREE = 1 << 30


def findings() -> Iterator[Finding]:
    """All findings of this module."""
    for about, examine in (
        ("versions", _versions),
        ("folder", _home),
        ("memory", _memory),
        ("state", _state),
        ("warehouse", _warehouse),
    ):
        yield from isolated(about, examine)


def _versions() -> Iterator[Finding]:
    needed = [Requirement(text) for text in requires("orgdata") or () if "extra ==" not in text]
    wrong = [f"{need.name} {version(need.name)} (needs {need.specifier})" for need in needed
             if not need.specifier.contains(version(need.name), prereleases=True)]  # fmt: skip
    have = f"Python {platform.python_version()}, dagster {version('dagster')}, duckdb {version('duckdb')}"
    remedy = f"pip install {shlex.join(str(need) for need in needed)}"
    yield Finding("versions", ", ".join(wrong) or have, not wrong, remedy)


def _home() -> Iterator[Finding]:
    home = settings.home()  # raises if it cannot be created or written
    if locked := [path for path in home.iterdir() if not os.access(path, os.W_OK)]:
        yield Finding("folder", f"{locked[0]} is not writable", False, f"sudo chown -R $(id -un) {home}")
        return
    yield _room("folder", home, settings.HOME)
    yield _private()
    staging = settings.staging()
    if staging.stat().st_dev != home.stat().st_dev:
        yield _room("staging", staging, settings.HOME)


def _private() -> Finding:
    open_to_others = list(file_modes.exposed(_files()))
    if not open_to_others:
        return Finding("private", "only their owner can read the home and the warehouse")
    first = f"{open_to_others[0]} (mode {stat.S_IMODE(open_to_others[0].stat().st_mode):04o})"
    text = f"other users can read or write {counted(len(open_to_others), 'file')} and folders, such as {first}"
    return Finding("private", text, False, "orgdata doctor --fix", _tighten)


def _files() -> list[Path]:
    """The warehouse's files on this machine."""
    return list(opening.warehouse().storage.files())


def _tighten() -> str:
    return f"restricted {counted(file_modes.tighten(_files()), 'file')} and folders to their owner"


def _room(about: str, folder: Path, variable: str) -> Finding:
    free = shutil.disk_usage(folder).free
    remedy = f"Free space on the disk of {folder}, or set {variable} to a folder on another disk"
    return Finding(about, f"{folder}, {free / (1 << 30):.1f} GB free", free > _LEAST_FREE, remedy)


def _memory() -> Iterator[Finding]:
    yield Finding("memory", str(allowed()))  # raises if ORGDATA_MEMORY is not an amount


def _state() -> Iterator[Finding]:
    yield Finding("state", f"{shared_state().describe()}{_other_machines()}")


def _other_machines() -> str:
    """A hint if the warehouse is for several machines and the state for one."""
    with suppress(WarehouseError):  # see _warehouse
        storage = opening.warehouse().storage
        if settings.state_uri() is None and isinstance(storage, Lake) and isinstance(storage.catalog, PostgresCatalog):
            return f"; set {settings.STATE} before a second one pulls, or together they break rate limits"
    return ""


def _warehouse() -> Iterator[Finding]:
    warehouse = opening.warehouse(patience=PATIENCE, queue_patience=PATIENCE)
    if not warehouse.exists:
        _look(warehouse)
        yield Finding("warehouse", f"{warehouse.uri}: nothing has been pulled yet")
        return
    for folder in warehouse.storage.folders():
        if folder != settings.home():
            yield _room("warehouse", folder, settings.WAREHOUSE)
    try:
        with warehouse.reading() as connection:
            known = schema.exists(connection)
    except LedgerIncomplete as error:
        yield Finding("warehouse", str(error), False, fix=partial(_repair, warehouse))
        return
    _look(warehouse)
    writer = warehouse.storage.writer()
    busy = f", {writer} is writing" if writer else ", no process is writing"
    yield Finding("warehouse", f"{warehouse.uri}{busy}{'' if known else ', no table yet'}")


def _look(warehouse: Warehouse) -> None:
    with warehouse.scratch_connection() as connection:
        warehouse.storage.look(connection)


def _repair(warehouse: Warehouse) -> str:
    with warehouse.transaction() as connection:
        added = schema.repair(connection)
    return f"added {', '.join(added) or 'nothing'} to the ledger of {warehouse.uri}"
