"""Whether the process of a run is still alive.

Here: the identity of a process, which stays unique if its process id is used again. Keep out: what happens to its runs
(orphaned_runs.py).
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

_DAEMON = re.compile(r"dagster\._daemon\b|/dagster-daemon\b")
_HOME = b"DAGSTER_HOME="


def identity(pid: int | None = None) -> str:
    """`host:pid:start`. The start (ticks since boot, Linux) distinguishes processes with the same process id."""
    pid = pid or os.getpid()
    return f"{socket.gethostname()}:{pid}:{_start(pid)}"


def alive(name: str) -> bool:
    """Whether the process of an `identity` is alive. False for an empty name; True for a process on another host."""
    host, pid, start = name.rsplit(":", 2) if name.count(":") >= 2 else ("", "", "")
    if not pid:
        return False
    if host != socket.gethostname():
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return start == _start(int(pid))


def daemons(instance: Path) -> list[int]:
    """The process ids of the Dagster daemons on the instance in this folder, however they were started."""
    found = _by_proc() if Path("/proc/self/cmdline").exists() else _by_ps()
    return sorted(pid for pid, text in found.items() if _DAEMON.search(text) and str(instance) in text)


def _by_proc() -> dict[int, str]:
    """Process id -> its command line, followed by its DAGSTER_HOME if it has one."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(OSError):  # it has just ended, or belongs to another user
                words = (folder / "cmdline").read_bytes().split(b"\0")
                homes = [one for one in (folder / "environ").read_bytes().split(b"\0") if one.startswith(_HOME)]
                found[int(folder.name)] = os.fsdecode(b" ".join([*words, *homes]))
    return found


def _by_ps() -> dict[int, str]:
    lines = subprocess.run(["ps", "-axww", "-o", "pid=,command="], capture_output=True, text=True, check=False).stdout
    parts = [line.split(maxsplit=1) for line in lines.splitlines()]
    return {int(pid): command for pid, command in parts}


def _start(pid: int) -> str:
    try:
        # the name in parentheses may contain spaces, so count the fields after it
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    # a zombie no longer runs
    return "" if fields[0] == "Z" else fields[19]
