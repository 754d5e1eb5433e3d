"""A machine of its own on this one: another hostname, other process ids, a disk that nobody else sees.

Here: `Machine`, from Linux namespaces (`unshare`), which is killed as a power cut would. Keep out: what runs on it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

BIN = Path(sys.executable).parent
_AS_USER = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
_NEW = ["unshare", *_AS_USER, "--uts", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]


def possible() -> bool:
    """Whether this user may make namespaces here."""
    return subprocess.run([*_NEW, "true"], capture_output=True, check=False).returncode == 0


class Machine:
    """`disk` is an empty folder that becomes a file system of the machine's own, with a copy of the project."""

    def __init__(self, name: str, disk: Path, project: Path, environment: Mapping[str, str]) -> None:
        self.name, self.disk = name, disk
        disk.mkdir()
        self._environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("ORGDATA", "DAGSTER"))},
            **environment,
            "ORGDATA_HOME": str(disk / "home"),
            "ORGDATA_PROJECT": str(disk / "project"),
        }
        disk_of_its_own = f"mount -t tmpfs tmpfs {disk} && cp -r {project} {disk}/project"
        start = f"hostname {name} && {disk_of_its_own} && echo ready && sleep 3600"
        self._outside = subprocess.Popen([*_NEW, "sh", "-c", start], stdout=subprocess.PIPE, text=True)
        assert self._outside.stdout is not None
        assert self._outside.stdout.readline() == "ready\n"
        children = Path(f"/proc/{self._outside.pid}/task/{self._outside.pid}/children").read_text()
        self._first = int(children.split()[0])

    def start(self, log: Path, *command: str) -> subprocess.Popen[str]:
        """Start `orgdata ...` on the machine; what it prints goes to `log`."""
        return self._start(log, [str(BIN / "orgdata"), *command])

    def shell(self, log: Path, line: str) -> subprocess.Popen[str]:
        """Start a line of a README in the project's folder, with the environment's programs on the path."""
        return self._start(log, ["sh", "-c", f'cd {self.disk}/project && PATH={BIN}:"$PATH" exec {line}'])

    def _start(self, log: Path, command: list[str]) -> subprocess.Popen[str]:
        enter = ["nsenter", "-t", str(self._first), "--uts", "--mount", "--pid"]
        enter += ["--user", "--preserve-credentials"] if _AS_USER else []
        with log.open("w") as file:
            return subprocess.Popen(
                [*enter, *command],
                stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, env=self._environment, text=True,
                cwd="/",
            )  # fmt: skip

    def runs(self, pid: str) -> bool:
        """Whether the machine has a process of this id."""
        return Path(f"/proc/{self._first}/root/proc/{pid}").exists()

    def kill(self) -> None:
        """Everything on the machine is gone at once."""
        if self._outside.poll() is None:
            os.kill(self._first, signal.SIGKILL)
            self._outside.wait(20)


def until(what: str, seconds: float, holds: Callable[[], bool]) -> float:
    """Wait until `holds()`; returns the seconds that it took."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < seconds, f"{what}: not after {seconds} s"
        time.sleep(0.2)
    return time.monotonic() - began
