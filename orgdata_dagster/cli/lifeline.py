"""A guard process: it ends a whole process tree when the process that started it ends, however it ends.

Here: the program `python lifeline.py COMMAND...`, whose standard input the starting process holds open.
Keep out: imports of our own modules, because this process must stay small.

The kernel closes the input when the process at its other end dies. This works on every system, and a signal to the
process group then reaches grandchildren too. The guard has its own session, so that Ctrl-C in a terminal reaches the
starting process first.
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
    """The command line that runs `words` under a guard."""
    return [sys.executable, "-S", "-E", __file__, *words]


def main() -> None:
    """Run the command until it or the input ends, then exit with its status. SIGTERM kills it at once."""
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
        _end(child.pid)  # processes that the command left behind
    sys.exit(status if status >= 0 else 128 - status)


def _copy(output: int) -> None:
    """Copy the output of the processes until they are being ended: then each only reports that others are gone."""
    while text := os.read(output, 1 << 16):
        with suppress(OSError):  # the reader is gone
            if not _ending.is_set():
                os.write(1, text)


def _end_with_input(group: int) -> None:
    while os.read(0, 1024):
        pass
    _ending.set()
    _end(group)


def _end(group: int) -> None:
    """End a process group with SIGTERM; kill what has not ended after GRACE seconds."""
    deadline = time.monotonic() + GRACE
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGTERM)
        while time.monotonic() < deadline:
            time.sleep(0.02)
            os.killpg(group, 0)
        os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main()
