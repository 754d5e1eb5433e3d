"""A guard for a tree of processes: whatever happens to who started it, none of them stays behind.

Here: what runs as `python lifeline.py COMMAND...`, with standard input held open by who started it. Keep out: imports
of ours: it is a process of its own, and stays small.

The kernel closes the input when its other end dies, however it dies: that works on every system, and reaches all of a
process group, grandchildren too. The guard is in a session of its own, so that a terminal's Ctrl-C is first heard by
who started it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress

GRACE = 1.2  # seconds from SIGTERM to SIGKILL
_ending = threading.Event()


def command(*words: str) -> list[str]:
    """The command line that runs these words under a guard."""
    return [sys.executable, "-S", "-E", __file__, *words]


def main() -> None:
    """Run the command until it ends or the input does; end with its exit status. SIGTERM kills it at once."""
    child = subprocess.Popen(
        sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, process_group=0
    )
    signal.signal(signal.SIGTERM, lambda *_: os.killpg(child.pid, signal.SIGKILL))
    assert child.stdout is not None
    threading.Thread(target=_copy, args=(child.stdout.fileno(),), daemon=True).start()
    end_with_input = threading.Thread(target=_end_with_input, args=(child.pid,), daemon=True)
    end_with_input.start()
    status = child.wait()
    if _ending.is_set():
        end_with_input.join()
    else:
        _end(child.pid)  # what it has left behind
    sys.exit(status if status >= 0 else 128 - status)


def _copy(output: int) -> None:
    """Print what the processes print, but nothing of how they end: each would complain about the loss of another."""
    while text := os.read(output, 1 << 16):
        with suppress(OSError):  # nobody reads it any more
            if not _ending.is_set():
                os.write(1, text)


def _end_with_input(group: int) -> None:
    while os.read(0, 1024):
        pass
    _ending.set()
    _end(group)


def _end(group: int) -> None:
    """End a process group: those that do not end when they are told to are killed."""
    deadline = time.monotonic() + GRACE
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGTERM)
        while time.monotonic() < deadline:
            time.sleep(0.02)
            os.killpg(group, 0)
        os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main()
