"""How much memory the database may use, and what is done when that is not enough.

Here: `allowed`, made of ORGDATA_MEMORY or of the machine, and `with_room`, which does a piece of work again with more
memory, by itself and on one thread, before it gives up. Add here: another way of doing less at once.
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

from orgdata_dagster.warehouse.errors import MemoryShort, WarehouseUnavailable
from orgdata_dagster.warehouse.storage.lock import locked

T = TypeVar("T")

VARIABLE = "ORGDATA_MEMORY"
RUNS = 8  # that may work at once: as many as the queue of runs starts
# Of the machine: the rest is for Python, Dagster and the files. Much of what the database counts it never touches.
_PART = 0.6
_MIB = 1 << 20
_LEAST, _ENOUGH, _LARGEST = 64 * _MIB, 192 * _MIB, 4096 * _MIB
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
_NO_LIMIT = 1 << 60  # a cgroup of version 1 without a limit says a number beyond
SHORT = re.compile(r"out of memory|(could not|failed to) (allocate|pin|offload)", re.IGNORECASE)

_here = threading.local()
_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class Memory:
    """Bytes of DuckDB's memory. `share`: of each run. `most`: of one run at a time, whose work does not fit its share.
    `origin`: what that was made of, for people."""

    share: int
    most: int
    origin: str

    def __str__(self) -> str:
        each = f"{shown(self.share)} per run"
        return f"{each}, up to {shown(self.most)} for one run at a time, {self.origin}"


def allowed() -> Memory:
    """What applies now. Raises WarehouseUnavailable where ORGDATA_MEMORY is no amount of memory."""
    if configured := os.environ.get(VARIABLE):
        amount = parsed(configured)
        return Memory(amount, amount, f"as {VARIABLE} says")
    machine = of_machine()
    most = max(_LEAST, min(_LARGEST, int(machine * _PART)))
    share = max(_LEAST, min(_ENOUGH, most // RUNS))
    return Memory(share, most, f"of {shown(machine)} that this machine or container has, for {RUNS} runs at once")


def parsed(text: str) -> int:
    """Bytes of an amount such as `512MB`. Raises WarehouseUnavailable for anything else, and for too little."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]i?b)", text.strip(), re.IGNORECASE)
    amount = int(float(found[1]) * _UNITS[found[2].upper()]) if found else 0
    if amount < 16 * _MIB:
        raise WarehouseUnavailable(
            f"{VARIABLE}: {text!r} is no usable amount of memory; write a number with MB or GB, at least 16MB, as in "
            f"{VARIABLE}=512MB, or leave it unset for a default made of what the machine has."
        )
    return amount


def shown(amount: int) -> str:
    """Bytes for people."""
    return f"{amount / (1 << 30):.1f} GiB" if amount >= 1 << 30 else f"{amount / _MIB:.0f} MiB"


def of_machine(cgroups: Path = Path("/sys/fs/cgroup"), process: Path = Path("/proc/self/cgroup")) -> int:
    """Bytes that this process may use in all: the machine's memory, or the limit of a container around it."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = [limit for path in _limit_files(cgroups, process) if (limit := _limit(path)) is not None]
    return min([physical, *limits])


def _limit_files(cgroups: Path, process: Path) -> Iterator[Path]:
    """The files with the limits of this process's cgroup and of those above it, of either version."""
    with suppress(OSError):
        for line in process.read_text().splitlines():
            _, controllers, own = line.split(":", 2)
            if controllers and "memory" not in controllers.split(","):
                continue
            root = cgroups / "memory" if controllers else cgroups
            name = "memory.limit_in_bytes" if controllers else "memory.max"
            inner = root / own.lstrip("/")
            # in a container the path is often one of the host: then the root is the container's own
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
    """Whether memory was the reason: DuckDB says so in errors of several classes."""
    known = isinstance(error, (MemoryShort, duckdb.OutOfMemoryException))
    return known or (isinstance(error, duckdb.Error) and SHORT.search(str(error)) is not None)


def in_room() -> bool:
    """Whether this thread's work has all the memory there is, and shall use one thread."""
    return bool(getattr(_here, "room", False))


def with_room(connection: duckdb.DuckDBPyConnection, work: Callable[[], T]) -> T:
    """What `work` returns, which uses this connection; where memory does not suffice it is done once more, with all
    that there is, on one thread, and while no other process does the same.

    Raises MemoryShort where even that does not suffice.
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
    asked = "SELECT current_setting('memory_limit'), current_setting('threads'), current_setting('temp_directory')"
    with _one_at_a_time, connection.cursor() as settings:
        limit, threads, spill = settings.execute(asked).fetchone() or ("", 1, "")
        most = max(allowed().most, parsed(limit))
        # each instance spills into a folder of its own, below one of its process: all processes share the one above
        with locked(Path(spill).parent.parent / "memory.lock", shared=False):
            settings.execute(f"SET GLOBAL threads = 1; SET GLOBAL memory_limit = '{most}B'")
            _here.room = True
            try:
                yield most
            finally:
                _here.room = False
                with suppress(duckdb.Error):  # what is still held has to be let go of first: the next use sets it
                    settings.execute(f"SET GLOBAL threads = {threads}; SET GLOBAL memory_limit = '{limit}'")


def short(error: Exception, most: int | None = None) -> MemoryShort:
    """The error in one sentence. `most`: the bytes that were tried, if not what is allowed."""
    if "max_temp_directory_size" in str(error):
        return MemoryShort("The disk of ORGDATA_HOME is too full for what does not fit into memory: make room on it.")
    return MemoryShort(
        f"{shown(most or allowed().most)} of memory are not enough, even for one thing at a time: set {VARIABLE} to "
        "more, or give the machine or container more."
    )
