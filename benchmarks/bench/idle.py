"""The optional workload `idle`: the CPU time that `orgdata dev` uses while there is nothing to do.

Here: one long measurement. Keep out: other workloads (workloads.py).
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.bench.report import Run
from benchmarks.bench.workloads import ORGDATA
from benchmarks.outside.command import Command
from benchmarks.outside.home import Home
from benchmarks.outside.server import Server

_START = 60.0  # seconds until everything has started and every sensor has had a tick
_LOOK = 600.0


def measure(folder: Path, rounds: int) -> Iterator[Run]:  # noqa: ARG001 - one measurement is long enough
    """Measure on a home in which five tables have landed. `seconds` of the result is the length of the measurement."""
    with Server("csv_tables", {"tables": 5, "rows": 9}, folder / "truth") as server:
        home = Home(folder / "home", server)
        failed = home.orgdata(*home.pull_words()).status != 0
        dev = home.start("dev", "--port", str(_free_port()))
        try:
            time.sleep(_START)
            before, began = _cpu(dev), time.monotonic()
            time.sleep(_LOOK)
            used, seconds = _cpu(dev) - before, time.monotonic() - began
            failed |= not dev.running
        finally:
            dev.terminate()
            time.sleep(3)
            dev.kill()
            ended = dev.wait(20)
        title = f"`orgdata dev`, idle: {100 * used / seconds:.1f} % of a core"
        yield Run(title, ORGDATA, seconds, used, ended.peak, len(server.log()), None, failed)


def _cpu(command: Command) -> float:
    """CPU seconds of the processes of a command, and of their ended children."""
    ticks = 0
    for pid in command.group.pids():
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
