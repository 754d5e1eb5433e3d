"""A group of processes: everything that one command starts, also in sessions of its own.

Here: the processes of a group, their memory, and killing them. A group is a memory cgroup (v1 or v2) if one can be
made; otherwise a variable in the environment, which children inherit, marks its processes. Keep out: starting and
waiting (command.py). Linux only.

Memory means anonymous memory, with each page counted once. The page cache does not count, because the kernel
can drop it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

MARK = "ORGDATA_OUTSIDE_GROUP"
_ROOTS = (Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup"))


class Group(Protocol):
    """The processes of one command."""

    kind: str

    def command(self, words: list[str]) -> list[str]:
        """The command line that starts a program inside the group."""
        ...

    def environment(self) -> dict[str, str]:
        """The variables that such a program needs."""
        ...

    def pids(self) -> list[int]: ...

    def memory(self) -> int:
        """Bytes of anonymous memory of all processes now."""
        ...

    def out_of_memory(self) -> int:
        """Number of processes that the kernel has killed because of the group's limit."""
        ...

    def close(self) -> None: ...


def make(limit: int | None = None) -> Group:
    """A new group. `limit`: bytes of memory. Raises OSError if there is a limit and no cgroup can be made."""
    folder = _new_cgroup(limit)
    if folder:
        return Cgroup(folder)
    if limit is not None:
        raise OSError("no memory cgroup can be made here")
    return Marked()


def kill(group: Group, patience: float = 10) -> bool:
    """kill -9 of all processes until none is left; returns whether that succeeded within `patience` seconds."""
    deadline = time.monotonic() + patience
    while pids := group.pids():
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        reap()
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


class Cgroup:
    """A memory cgroup."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._v1 = (folder / "memory.usage_in_bytes").exists()
        self.kind = "cgroup"

    def command(self, words: list[str]) -> list[str]:
        return ["/bin/sh", "-c", f'echo $$ > {self._folder}/cgroup.procs && exec "$@"', "sh", *words]

    def environment(self) -> dict[str, str]:
        return {}

    def pids(self) -> list[int]:
        try:
            found = [int(pid) for pid in (self._folder / "cgroup.procs").read_text().split()]
        except OSError:
            return []
        return [pid for pid in found if state(pid) not in ("Z", "X", "")]

    def memory(self) -> int:
        wanted = "total_rss" if self._v1 else "anon"
        with contextlib.suppress(OSError):
            for line in (self._folder / "memory.stat").read_text().splitlines():
                name, _, value = line.partition(" ")
                if name == wanted:
                    return int(value)
        return 0

    def out_of_memory(self) -> int:
        name = "memory.oom_control" if self._v1 else "memory.events"
        with contextlib.suppress(OSError):
            for line in (self._folder / name).read_text().splitlines():
                if line.startswith("oom_kill "):
                    return int(line.split()[1])
        return 0

    def close(self) -> None:
        for _ in range(50):
            with contextlib.suppress(OSError):
                self._folder.rmdir()
                return
            time.sleep(0.05)


class Marked:
    """Processes that were started with a common mark in their environment."""

    kind = "PSS"

    def __init__(self) -> None:
        self._mark = uuid.uuid4().hex

    def command(self, words: list[str]) -> list[str]:
        return words

    def environment(self) -> dict[str, str]:
        return {MARK: self._mark}

    def pids(self) -> list[int]:
        mark = f"{MARK}={self._mark}".encode()
        return [pid for pid in _all_pids() if mark in _read(pid, "environ") and state(pid) not in ("Z", "X", "")]

    def memory(self) -> int:
        total = 0
        for pid in self.pids():
            fields = dict(line.split(b":", 1) for line in _read(pid, "smaps_rollup").splitlines()[1:] if b":" in line)
            amount = fields.get(b"Pss_Anon", fields.get(b"Pss", b"0 kB"))
            total += int(amount.split()[0]) * 1024
        return total

    def out_of_memory(self) -> int:
        return 0

    def close(self) -> None:
        """No-op."""


def state(pid: int) -> str:
    """The kernel's letter for the state of a process; "" if it does not exist."""
    return (_read(pid, "stat").rpartition(b")")[2].split() or [b""])[0].decode()


def reap() -> None:
    """Wait for ended orphans that became children of this process (see `adopt`), so that their CPU time is counted."""
    with STARTING:
        for pid in _all_pids():
            fields = _read(pid, "stat").rpartition(b")")[2].split()
            if len(fields) > 1 and fields[0] == b"Z" and int(fields[1]) == os.getpid() and pid not in OWN:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)


OWN: set[int] = set()
"""Children that are waited for elsewhere, so that `reap` skips them. `STARTING` is held while one is started."""
STARTING = threading.RLock()


def adopt() -> None:
    """Become the parent of every orphan below this process (prctl PR_SET_CHILD_SUBREAPER)."""
    import ctypes

    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)


def _new_cgroup(limit: int | None) -> Path | None:
    for folder in _candidates():
        new = folder / f"orgdata-{uuid.uuid4().hex[:12]}"
        try:
            new.mkdir()
        except OSError:
            continue
        try:
            name = next(name for name in ("memory.limit_in_bytes", "memory.max") if (new / name).exists())
            if limit is not None:
                (new / name).write_text(str(limit))
            return new
        except (OSError, StopIteration):
            with contextlib.suppress(OSError):
                new.rmdir()
    return None


def _candidates() -> Iterator[Path]:
    """Folders in which a memory cgroup may be made: our own, its parent, the root."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers in ("memory", ""):
            root = _ROOTS[0] if controllers else _ROOTS[1]
            own = root / path.lstrip("/")
            yield from dict.fromkeys(each for each in (own, own.parent, root) if root in (each, *each.parents))


def _all_pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""
