"""Whether the process that worked on a run is still there.

Here: a name for a process that survives its number being used again.
Keep out: what happens to its runs (orphaned_runs.py).
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

PROCESS_TAG = "orgdata/process"  # of a run: the `identity` of the process that works on it


def identity(pid: int | None = None) -> str:
    """`host:pid:start`; the start (ticks since boot, Linux) tells a process from a later one of the same number."""
    pid = pid or os.getpid()
    return f"{socket.gethostname()}:{pid}:{_start(pid)}"


def alive(name: str) -> bool:
    """Whether the process of an `identity` still runs; no process does not. On another host it counts as running."""
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


def _start(pid: int) -> str:
    try:
        # the name in brackets may hold spaces: count the fields behind it
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    # a zombie runs no more
    return "" if fields[0] == "Z" else fields[19]
