"""Whether the process that worked on a run is still there.

Here: a name for a process that survives its number being used again.
Keep out: what happens to its runs (orphaned_runs.py).
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


def daemons(instance: Path) -> list[int]:
    """The Dagster daemons that work on the instance in this folder, by whatever command they were started."""
    found = _by_proc() if Path("/proc/self/cmdline").exists() else _by_ps()
    return sorted(pid for pid, text in found.items() if _DAEMON.search(text) and str(instance) in text)


def _by_proc() -> dict[int, str]:
    """Process -> its command line, and its DAGSTER_HOME if it has one."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(OSError):  # it has just ended, or is another user's
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
        # the name in brackets may hold spaces: count the fields behind it
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    # a zombie runs no more
    return "" if fields[0] == "Z" else fields[19]
