"""A private Redis server for the tests, from Debian's package `redis-server`.

Here: starting and stopping one. Keep out: what is stored in it.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PASSWORD = "hidden-redis-password"
_PATIENCE = 30.0


def installed() -> bool:
    """Whether there is a Redis server on this machine."""
    return shutil.which("redis-server") is not None


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """The URL of a new server, with its password. Nothing is stored on disk but its log, in `folder`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--requirepass", PASSWORD]
    with (folder / "redis.log").open("w") as log:
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder)
    try:
        deadline = time.monotonic() + _PATIENCE
        while not _listens(port):
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"Redis does not start: {(folder / 'redis.log').read_text()}")
            time.sleep(0.05)
        yield f"redis://:{PASSWORD}@127.0.0.1:{port}/0"
    finally:
        server.terminate()
        server.wait(20)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
