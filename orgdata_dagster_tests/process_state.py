"""What the kernel says of a process.

Here: `stat` and `runs`. Keep out: starting processes (integration/command.py), waiting for them (waiting.py).
"""

from __future__ import annotations

from pathlib import Path


def stat(pid: int) -> list[str]:
    """The fields of `/proc/PID/stat` from the third one, the state, on. Raises OSError if there is no such process."""
    # the name in parentheses may contain spaces
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def runs(pid: int) -> bool:
    """Whether the process exists and is not a zombie."""
    try:
        return stat(pid)[0] != "Z"
    except OSError:
        return False
