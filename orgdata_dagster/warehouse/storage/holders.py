"""Finding the processes that hold a file, for messages to a process that waits for it.

Here: `holders`, from the kernel's list of locks, otherwise from open files, otherwise from lsof. Add here: support for
another operating system. Keep out: waiting (connection.py, state/file_lock.py).
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_LONGEST = 100  # characters of a command line


@dataclass(frozen=True)
class HolderProcess:
    """A process. `command`: its command line; "" if it cannot be read."""

    pid: int
    command: str = ""

    def __str__(self) -> str:
        return f"process {self.pid} ({self.command})" if self.command else f"process {self.pid}"


def holders(path: Path) -> list[HolderProcess]:
    """The other processes that have a lock on the file; if there are none, those that have it open."""
    try:
        status = path.stat()
    except OSError:
        return []
    if not (_PROC / "self").exists():
        return _named(_by_lsof(path))
    return _named(_by_locks(status) or _by_open_files(status))


def described(found: Iterable[HolderProcess]) -> str:
    """The processes for a message: `process 7 (python report.py)`, or `another process` if none is known."""
    return " and ".join(map(str, found)) or "another process"


def _by_locks(status: os.stat_result) -> set[int]:
    """From `/proc/locks`, which also lists processes of other users."""
    inode = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    found = set()
    try:
        lines = (_PROC / "locks").read_text().splitlines()
    except OSError:
        return set()
    for line in lines:
        fields = line.split()
        if "->" not in fields and len(fields) > 5 and fields[5] == inode and fields[4].isdigit():
            found.add(int(fields[4]))
    return found - {0}


def _by_open_files(status: os.stat_result) -> set[int]:
    """From the open files of the processes that this user may inspect."""
    found = set()
    for folder in _PROC.glob("[0-9]*/fd"):
        try:
            opened = (link.stat() for link in folder.iterdir())
            if any((each.st_dev, each.st_ino) == (status.st_dev, status.st_ino) for each in opened):
                found.add(int(folder.parent.name))
        except OSError:
            continue  # a process of another user, or one that has just ended
    return found


def _by_lsof(path: Path) -> set[int]:
    if not (program := shutil.which("lsof")):
        return set()
    listed = subprocess.run([program, "-t", "--", str(path)], capture_output=True, text=True, timeout=10, check=False)
    return {int(word) for word in listed.stdout.split() if word.isdigit()}


def named(pid: int) -> HolderProcess:
    """The process of this machine with this id."""
    return HolderProcess(pid, _command(pid))


def _named(pids: set[int]) -> list[HolderProcess]:
    return [named(pid) for pid in sorted(pids - {os.getpid()})]


def _command(pid: int) -> str:
    try:
        words = (_PROC / str(pid) / "cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return ""
    line = " ".join(" ".join(words).split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
