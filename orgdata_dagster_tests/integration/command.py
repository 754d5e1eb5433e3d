"""Commands as processes of their own. They are really started and killed, but start without importing Dagster again.

Here: `start`, the running process, and how it ended. Add here when: a test needs another operation on a command.
Keep out: which commands are run, and what is expected of them; whether a process runs (process_state.py).

A fresh interpreter needs a second to import Dagster. Commands are therefore forked from a server that has imported
everything once. Otherwise they are as in real life: each has a session and an environment of its own, and its workers
are in its group.
"""

import contextlib
import importlib
import os
import signal
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing import resource_tracker
from pathlib import Path

from orgdata_dagster_tests.process_state import stat
from orgdata_dagster_tests.processes import PROCESSES

ORGDATA = "orgdata_dagster.cli:main"


@dataclass(frozen=True)
class Done:
    """How a command ended (status below 0: killed by that signal), and its whole output."""

    status: int
    out: str
    err: str

    @property
    def everything(self) -> str:
        return self.out + self.err


class Command:
    """A running command. `pid` is also its process group's id."""

    def __init__(self, main: str, args: tuple[str, ...], environment: Mapping[str, str], folder: Path) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="command-", dir=folder))
        job = (main, args, dict(environment), str(self._folder))
        self._process = PROCESSES.Process(target=_run, args=job)
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    @property
    def running(self) -> bool:
        return self._process.is_alive()

    def wait(self, timeout: float = 60) -> Done:
        """Wait for its end; a command that hangs is killed and fails the test."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            self.kill_all()
            raise AssertionError(f"still running after {timeout} s: {self._read('out')}{self._read('err')}")
        return Done(self._process.exitcode, self._read("out"), self._read("err"))

    def kill(self) -> None:
        """kill -9 of only the command; its workers live on."""
        self._process.kill()
        self._process.join(10)

    def kill_all(self) -> None:
        """kill -9 of the command and its workers, at once."""
        with contextlib.suppress(ProcessLookupError):  # it has ended, or has no group of its own yet
            os.killpg(self.pid, signal.SIGKILL)
        self.kill()

    def group(self) -> list[int]:
        """The processes of its group that are still running."""
        try:
            os.killpg(self.pid, 0)  # asked first, because a look at every process takes long on a busy machine
        except ProcessLookupError:
            return []
        return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if _group(pid) == self.pid]

    @property
    def out(self) -> str:
        """What it has printed so far."""
        return self._read("out")

    def _read(self, name: str) -> str:
        path = self._folder / name
        return path.read_text() if path.exists() else ""


def _group(pid: int) -> int | None:
    """The process group; None if the process has ended."""
    try:
        state, _, group, *_ = stat(pid)
    except OSError:
        return None
    return None if state == "Z" else int(group)


def _run(main: str, args: tuple[str, ...], environment: Mapping[str, str], folder: str) -> None:
    for descriptor, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(os.path.join(folder, name), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644), descriptor)
    # Its own tracker, and outside its group: when all else is killed, the tracker still unlinks the semaphores.
    resource_tracker._resource_tracker._fd = None  # type: ignore[attr-defined]
    resource_tracker.ensure_running()
    os.setsid()
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = ["orgdata", *args]
    module, _, function = main.partition(":")
    getattr(importlib.import_module(module), function)()
