"""The memory limits of the database, and a second attempt with more memory if they are too low.

Here: `allowed`, the limits from ORGDATA_MEMORY or from the machine's memory, and `with_room`, which repeats work with
more memory, on one thread and in one process at a time. Add here: another way to use less memory.
Keep out: the settings of an instance (instances.py).
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import duckdb

from orgdata_dagster.state.file_lock import locked
from orgdata_dagster.warehouse.errors import MemoryShort, WarehouseUnavailable

T = TypeVar("T")

VARIABLE = "ORGDATA_MEMORY"
RUNS = 8  # runs that may work at once: as many as Dagster's run queue starts
# Share of the machine's memory; the rest is for Python, Dagster and the file cache.
PART = 0.6
_MIB = 1 << 20
LEAST, ENOUGH, LARGEST = 64 * _MIB, 192 * _MIB, 4096 * _MIB
_UNITS = {
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KIB": 1 << 10,
    "MIB": _MIB,
    "GIB": 1 << 30,
    "TIB": 1 << 40,
}
_NO_LIMIT = 1 << 60  # a version 1 cgroup without a limit reports a larger number
SHORT = re.compile(r"out of memory|(could not|failed to) (allocate|pin|offload)", re.IGNORECASE)

_here = threading.local()
_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class Memory:
    """DuckDB's memory limits in bytes.

    share: the limit of each run.
    most: the limit of a run whose work does not fit its share; one run at a time.
    origin: where the limits come from, for messages.
    """

    share: int
    most: int
    origin: str

    def __str__(self) -> str:
        each = f"{shown(self.share)} per run"
        return f"{each}, up to {shown(self.most)} for one run at a time, {self.origin}"


def allowed() -> Memory:
    """The current limits. Raises WarehouseUnavailable if ORGDATA_MEMORY is not an amount of memory."""
    if configured := os.environ.get(VARIABLE):
        amount = parsed(configured)
        return Memory(amount, amount, f"as {VARIABLE} says")
    machine = of_machine()
    most = max(LEAST, min(LARGEST, int(machine * PART)))
    share = max(LEAST, min(ENOUGH, most // RUNS))
    return Memory(share, most, f"of {shown(machine)} that this machine or container has, for {RUNS} runs at once")


def parsed(text: str) -> int:
    """Bytes of an amount such as `512MB`. Raises WarehouseUnavailable if it is malformed or below 16MB."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]i?b)", text.strip(), re.IGNORECASE)
    amount = int(float(found[1]) * _UNITS[found[2].upper()]) if found else 0
    if amount < 16 * _MIB:
        raise WarehouseUnavailable(
            f"{VARIABLE}: {text!r} is not a usable amount of memory. Write a number with MB or GB, at least 16MB, such "
            f"as {VARIABLE}=512MB, or leave it unset for a default that depends on the machine."
        )
    return amount


def shown(amount: int) -> str:
    """Bytes as text, such as `192 MiB`."""
    return f"{amount / (1 << 30):.1f} GiB" if amount >= 1 << 30 else f"{amount / _MIB:.0f} MiB"


def of_machine(cgroups: Path = Path("/sys/fs/cgroup"), process: Path = Path("/proc/self/cgroup")) -> int:
    """Bytes that this process may use: the machine's memory, or the limit of its container."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = [limit for path in _limit_files(cgroups, process) if (limit := _limit(path)) is not None]
    return min([physical, *limits])


def _limit_files(cgroups: Path, process: Path) -> Iterator[Path]:
    """The files with the memory limits of this process's cgroup and its parents, of version 1 and 2."""
    with suppress(OSError):
        for line in process.read_text().splitlines():
            _, controllers, own = line.split(":", 2)
            if controllers and "memory" not in controllers.split(","):
                continue
            root = cgroups / "memory" if controllers else cgroups
            name = "memory.limit_in_bytes" if controllers else "memory.max"
            inner = root / own.lstrip("/")
            # in a container the path is often a path of the host; the limit is then in the root folder
            for folder in (inner, *inner.parents):
                yield folder / name
                if folder == root:
                    break


def _limit(path: Path) -> int | None:
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() and int(text) < _NO_LIMIT else None


def is_short(error: Exception) -> bool:
    """Whether the error means that memory was short. DuckDB has several classes of errors for this."""
    known = isinstance(error, (MemoryShort, duckdb.OutOfMemoryException))
    return known or (isinstance(error, duckdb.Error) and SHORT.search(str(error)) is not None)


def in_room() -> bool:
    """Whether this thread works with the larger limit, and must use one DuckDB thread."""
    return bool(getattr(_here, "room", False))


def with_room(connection: duckdb.DuckDBPyConnection, work: Callable[[], T]) -> T:
    """Call `work`, which uses this connection, and return its result.

    `work` must fetch all rows that it needs, because a result that is still open on the connection is closed.
    If memory is short, `work` is called once more with the larger limit, on one thread, while no other process does the
    same.

    Raises MemoryShort if that is not enough either.
    """
    try:
        return work()
    except (duckdb.Error, MemoryShort) as error:
        if in_room() or not is_short(error):
            raise
    with _room(connection) as most:
        try:
            return work()
        except (duckdb.Error, MemoryShort) as error:
            if is_short(error):
                raise short(error, most) from None
            raise


@contextmanager
def _room(connection: duckdb.DuckDBPyConnection) -> Iterator[int]:
    sql = "SELECT current_setting('memory_limit'), current_setting('threads'), current_setting('temp_directory')"
    with _one_at_a_time, connection.cursor() as settings:
        limit, threads, spill = settings.execute(sql).fetchone() or ("", 1, "")
        most = max(allowed().most, parsed(limit))
        # an instance spills to a folder of its own inside its process's folder; all processes share the folder above
        with locked(Path(spill).parent.parent / "memory.lock", shared=False):
            settings.execute(f"SET GLOBAL threads = 1; SET GLOBAL memory_limit = '{most}B'")
            _here.room = True
            try:
                yield most
            finally:
                _here.room = False
                settings.execute(f"SET GLOBAL threads = {threads}")
                with suppress(duckdb.Error):
                    connection.execute("SELECT 1").fetchone()  # frees the memory of the last result
                # fails while tables in memory are larger than this; the next use of the instance sets it again
                with suppress(duckdb.Error):
                    settings.execute(f"SET GLOBAL memory_limit = '{limit}'")


def short(error: Exception, most: int | None = None) -> MemoryShort:
    """The error as MemoryShort. most: the limit in bytes that was tried; None: the allowed one."""
    if "max_temp_directory_size" in str(error):
        return MemoryShort(
            "The disk of ORGDATA_HOME has too little room for the data that does not fit into memory: make room on it."
        )
    return MemoryShort(
        f"{shown(most or allowed().most)} of memory are not enough, even for one run at a time. Set {VARIABLE} to "
        "more, or give the machine or container more memory."
    )
