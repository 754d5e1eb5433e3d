"""A command in a process of its own, measured from start to exit.

Here: starting a command, waiting for it, killing parts of it, and its result. Keep out: which processes belong to it
(group.py), and which commands there are (home.py).
"""

from __future__ import annotations

import contextlib
import math
import os
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.outside import group as groups
from benchmarks.outside import stopping

TRACEBACK = "Traceback (most recent call last)"
GRACE = 15.0  # seconds that processes may outlive the command that has started them
_SAMPLE = {"cgroup": 0.05, "PSS": 0.25}  # seconds between two measurements of memory


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    status: below 0: the signal that ended it.
    cpu, peak: seconds, and bytes, of all its processes. CPU time is only right if no other command ended meanwhile.
    stuck: whether it, or a process that it started, had to be killed.
    """

    status: int
    seconds: float
    cpu: float
    peak: int
    out: str
    err: str
    stuck: bool
    out_of_memory: int = 0

    @property
    def text(self) -> str:
        return self.out + self.err

    @property
    def crashed(self) -> bool:
        """Whether a signal or a lack of memory ended it, or it printed a traceback."""
        signs = (TRACEBACK, "Segmentation fault", "worker process was killed")
        return self.status < 0 or self.out_of_memory > 0 or any(sign in self.text for sign in signs)


class Command:
    """A running command with all processes that it starts."""

    def __init__(
        self, words: Sequence[str], environment: Mapping[str, str], folder: Path, *, limit: int | None = None
    ) -> None:
        self.group = groups.make(limit)
        folder.mkdir(parents=True, exist_ok=True)
        self._files = [folder / "out", folder / "err"]
        self._cpu = _children_cpu()
        self._began = time.monotonic()
        with self._files[0].open("wb") as out, self._files[1].open("wb") as err, groups.STARTING:
            self._process = subprocess.Popen(
                self.group.command(list(words)),
                env={**environment, **self.group.environment()},
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
            groups.OWN.add(self._process.pid)
        self.pid = self._process.pid
        self._peak = 0
        self._seen_ended: float | None = None
        self._ended = threading.Event()
        self._sampler = threading.Thread(target=self._sample, daemon=True)
        self._sampler.start()
        stopping.add(self.pid, self.kill)

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def children(self) -> list[int]:
        """All processes except the command itself."""
        return [pid for pid in self.group.pids() if pid != self.pid]

    def kill(self, *pids: int) -> None:
        """kill -9 of these processes; by default of all."""
        if not pids:
            groups.kill(self.group)
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def terminate(self) -> None:
        """Send SIGTERM to the command itself."""
        self._process.terminate()

    def wait(self, timeout: float, grace: float = GRACE) -> Ended:
        """Wait until the command and all its processes have ended; kill those that have not ended in time."""
        stuck = False
        try:
            status = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            stuck, status = True, -signal.SIGKILL
        seconds = min(time.monotonic(), self._seen_ended or math.inf) - self._began
        if not stuck:
            stuck = not self._alone_within(grace)
        return self._close(status, seconds, stuck)

    def _alone_within(self, grace: float) -> bool:
        deadline = time.monotonic() + grace
        while self.group.pids():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def _close(self, status: int, seconds: float, stuck: bool) -> Ended:
        groups.kill(self.group)
        self._process.wait(10)
        stopping.remove(self.pid)
        groups.OWN.discard(self.pid)
        groups.reap()
        self._ended.set()
        self._sampler.join()
        lost = self.group.out_of_memory()
        self.group.close()
        out, err = (path.read_text(errors="replace") for path in self._files)
        return Ended(status, seconds, _children_cpu() - self._cpu, self._peak, out, err, stuck, lost)

    def _sample(self) -> None:
        pause = _SAMPLE[self.group.kind]
        while not self._ended.wait(pause):
            self._peak = max(self._peak, self.group.memory())
            if self._seen_ended is None and not self.running:
                self._seen_ended = time.monotonic()  # nobody may be waiting for it yet


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
