"""The Dagster daemons of this machine.

Here: `daemons`, `age`. Keep out: the identity of a process (state/processes.py), the processes of runs (run_claims.py,
orphaned_runs.py).
"""

from __future__ import annotations

import os
import re
import subprocess
from contextlib import suppress
from pathlib import Path

_DAEMON = re.compile(r"dagster\._daemon\b|/dagster-daemon\b")
_HOME = b"DAGSTER_HOME="


def daemons(instance: Path) -> list[int]:
    """The process ids of all Dagster daemons that use the instance in this folder."""
    found = _by_proc() if Path("/proc/self/cmdline").exists() else _by_ps()
    return sorted(pid for pid, text in found.items() if _DAEMON.search(text) and str(instance) in text)


def age(pid: int) -> float:
    """The seconds since a process started; 0 if unknown."""
    try:
        started = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
        return float(Path("/proc/uptime").read_text().split()[0]) - started / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return 0.0


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
