"""The identity of a process, and whether it is alive.

Here: an identity that remains unique if the process id is reused. Keep out: the work of a process.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path


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


def in_words(name: str) -> str:
    """The process of an `identity` as text, such as `process 7 on host`."""
    host, pid = name.split(":")[0], name.split(":")[-2] if name.count(":") >= 2 else ""
    return f"process {pid} on {host}" if pid else "process"


def _start(pid: int) -> str:
    try:
        # the name in parentheses may contain spaces, so count the fields after it
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    # a zombie no longer runs
    return "" if fields[0] == "Z" else fields[19]
